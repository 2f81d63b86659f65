package redact

// Lengths from which a value may be taken for one drawn at random, in characters.
const (
	minRandom = 16 // of large and small letters and digits: more than 90 bits
	minSingle = 20 // of letters of one case and digits
	minHex    = 32 // of hexadecimal digits: 128 bits, and an MD5
)

// findRandom is the value behind the parameter's name that ends at at, as far as
// tokens go, where it looks drawn at random. Nothing is read twice: what a name may
// stand behind ends a token.
func findRandom(text string, at int) (v value, ok bool) {
	c, n := char(text, at)
	if c != '=' {
		return v, false
	}
	at += n
	end := at
	for end < len(text) {
		if c, n = char(text, end); kindOf(c) < 0 {
			break
		}
		end += n
	}
	for end > at && text[end-1] == '.' { // the sentence's
		end--
	}
	return value{at, end}, Random(text[at:end])
}

// Random tells whether a value looks drawn at random: it is long, of the characters
// that tokens are written in, and one kind of them (small and large letters, digits)
// follows another as often as chance has it, and words and numbers do not. A UUID
// does not count.
func Random(v string) bool {
	if len(v) < minRandom || isUUID(v) {
		return false
	}
	var kinds [4]int // how many of each kind; the first: what separates words
	length, changes, last := 0, 0, 0
	isHex := true
	for i := 0; i < len(v); length++ {
		c, n := char(v, i)
		i += n
		k := kindOf(c)
		if k < 0 {
			return false
		}
		if kinds[k]++; k > 0 && last > 0 && k != last {
			changes++
		}
		isHex = isHex && hex(c) >= 0
		last = k
	}
	share := float64(changes) / float64(max(length-1, 1))
	small, large, digits := kinds[1] > 0, kinds[2] > 0, kinds[3] > 0
	switch {
	case small && large && digits:
		return length >= minRandom && share >= 0.3
	case small && large: // as names in camel case are, which change less often
		return length >= minRandom && share >= 0.4
	case !digits || !small && !large:
		return false
	case isHex:
		return length >= minHex && share >= 0.25
	}
	return length >= minSingle && share >= 0.25
}

// kindOf is the kind of a character of a token: 1 a small letter, 2 a large one, 3 a
// digit, 0 another that tokens have (RFC 4648, RFC 3986 section 2.3); -1 where they
// have none.
func kindOf(c byte) int {
	switch {
	case 'a' <= c && c <= 'z':
		return 1
	case 'A' <= c && c <= 'Z':
		return 2
	case '0' <= c && c <= '9':
		return 3
	case c == '-' || c == '_' || c == '.' || c == '~' || c == '+' || c == '/' || c == '=':
		return 0
	}
	return -1
}

// isUUID tells whether v has the form of one (RFC 9562, 4).
func isUUID(v string) bool {
	if len(v) != 36 {
		return false
	}
	for i := range len(v) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (v[i] == '-') || !dash && hex(v[i]) < 0 {
			return false
		}
	}
	return true
}
