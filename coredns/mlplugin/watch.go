package mlplugin

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// watchEvery is the time between looks at the model and the lists.
const watchEvery = 2 * time.Second

// watched is a part of the snapshot that files make.
type watched struct {
	what string
	// files says what they look like; a change of it is a reason to load again.
	files func() string
	load  func() error
	seen  string
	// changing is what they looked like the last time, where that was new.
	changing string
	// failed is the error of the last load, empty where it went well.
	failed string
}

// watch begins to look for changed files until stop.
func (h *Handler) watch(every time.Duration) {
	parts := h.watched
	if len(parts) == 0 {
		return
	}
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				for _, part := range parts {
					guard(part.look)
				}
			}
		}
	})
	h.stopping = append(h.stopping, func() {
		close(done)
		running.Wait()
	})
}

// watchedParts gives what can change: a model of the user's, a candidate, and list files.
func (h *Handler) watchedParts() []*watched {
	var parts []*watched
	if h.settings.model != "" {
		parts = append(parts, &watched{what: "model", load: h.reloadModel, files: func() string {
			return lookOfModel(h.settings.model)
		}})
	}
	if h.settings.shadow != "" {
		parts = append(parts, &watched{what: "shadow", load: h.reloadShadow, files: func() string {
			return lookOfModel(h.settings.shadow)
		}})
	}
	var lists []string
	for _, entry := range h.settings.lists {
		if entry.File != "" {
			lists = append(lists, entry.File)
		}
	}
	if len(lists) > 0 {
		parts = append(parts, &watched{what: "lists", load: h.reloadLists, files: func() string { return lookOf(lists...) }})
	}
	for _, part := range parts {
		part.seen = part.files()
	}
	return parts
}

// look loads the part again if its files look different and the same twice, so that
// none is read while it is being written. One that cannot be loaded is tried again at the
// next look, as the reason may pass without a change, and each error is told once; the old
// one stays in force.
func (w *watched) look() {
	now := w.files()
	if now == w.seen || now != w.changing {
		w.changing = now
		if now == w.seen {
			w.failed = ""
		}
		return
	}
	err := w.load()
	if err == nil {
		w.seen, w.failed = now, ""
		reloaded(w.what, nil)
		return
	}
	if err.Error() != w.failed {
		w.failed = err.Error()
		reloaded(w.what, err)
		log.Errorf("the changed %s cannot be used, the old stays in force: %v", w.what, err)
	}
}

func (h *Handler) reloadModel() error {
	m, err := loadModel(h.settings)
	if err != nil {
		return err
	}
	old := h.snapshot.Load().model
	h.swap(func(s *snapshot) { s.model = m })
	useModel(m, 1)
	useModel(old, -1)
	log.Infof("model %s is in force in place of %s", m.Version(), old.Version())
	return nil
}

func (h *Handler) reloadLists() error {
	lists, err := loadLists(h.settings.lists)
	if err != nil {
		return err
	}
	h.swap(func(s *snapshot) { s.lists = lists })
	log.Infof("lists are read again: %d names, %d addresses", lists.Names(), lists.Addresses())
	return nil
}

// lookOf says what files look like from outside, without reading them.
func lookOf(paths ...string) string {
	look := ""
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			look += fmt.Sprintf("%s: %v\n", path, err)
			continue
		}
		look += fmt.Sprintf("%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
	}
	return look
}

// lookOfModel says what a model directory looks like. Its small configuration is read,
// because one of the same size and time may be another one.
func lookOfModel(directory string) string {
	config := filepath.Join(directory, "config.json")
	files, _ := filepath.Glob(filepath.Join(directory, "*.safetensors"))
	content, _ := os.ReadFile(config)
	leads, _ := os.Readlink(directory)
	return fmt.Sprintf("%x\n%s\n%s", sha256.Sum256(content), leads, lookOf(append(files, config)...))
}
