//go:build race

package mlplugin

// raceDetector says that tests run under it, where a sync.Pool forgets things on purpose.
const raceDetector = true
