"""The pages, a module each: `layout` gives one, `register` adds its callbacks."""
