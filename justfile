# Shorthands for people who have just; each line works without it too.

# a resolver with verdicts, history and dashboard on this machine
up *ARGS:
    uv run mlplugin up {{ARGS}}

# every test of both languages
test *ARGS:
    uv run pytest {{ARGS}}

# what can be put right by a program
fmt:
    uv run ruff format src tests bench hatch_build.py
    uv run ruff check --fix src tests bench hatch_build.py
    gofmt -w coredns models

# Go benchmarks of the query path
bench-go:
    go test -run '^$' -bench . -benchmem ./coredns/...
