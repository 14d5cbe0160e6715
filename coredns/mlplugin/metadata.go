package mlplugin

import (
	"context"
	"strconv"

	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/request"
)

// Metadata implements metadata.Provider. Nothing is judged until a label is asked for;
// one that is asked for before the query is answered tells of the question, one that is
// asked for afterwards, as by log, of question and answer.
func (h *Handler) Metadata(ctx context.Context, state request.Request) context.Context {
	if !h.serves(state.Req) {
		return ctx
	}
	p := new(query)
	h.takeDown(ctx, p, state.W, state.Req)
	label := func(name string, value func() string) {
		metadata.SetValueFunc(ctx, pluginName+"/"+name, func() string {
			p.decide(ctx)
			return value()
		})
	}
	label("verdict", func() string { return p.ruling.Level.String() })
	label("threat", func() string { return p.ruling.Threat.String() })
	label("source", func() string { return p.ruling.Source.String() })
	label("score", func() string { return strconv.FormatFloat(p.ruling.Score, 'f', 1, 64) })
	label("action", func() string { return p.effect.String() })
	label("registered_domain", func() string { return p.snapshot.model.Split(p.name).RegisteredDomain })
	return context.WithValue(ctx, queryKey{h}, p)
}
