package policy

// parent gives the name without its first label; ok is false where nothing would be
// left. The name is canonical, so that a dot after a backslash is part of a label.
func parent(name string) (rest string, ok bool) {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '.':
			return name[i+1:], i+1 < len(name)
		}
	}
	return "", false
}
