//go:build !race

package mlplugin

const raceDetector = false
