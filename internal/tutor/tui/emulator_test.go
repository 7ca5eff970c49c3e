package tui_test

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// feed handles output of the program and returns an incomplete sequence at the end.
func (s *terminal) feed(data []byte) (rest []byte) {
	for len(data) > 0 {
		if data[0] == 0x1b {
			n := s.escape(data)
			if n == 0 {
				return data
			}
			data = data[n:]
			continue
		}
		if !utf8.FullRune(data) {
			return data
		}
		r, n := utf8.DecodeRune(data)
		s.put(r)
		data = data[n:]
	}
	return nil
}

func (s *terminal) put(r rune) {
	switch r {
	case '\r':
		s.x = 0
	case '\n':
		if s.y == s.bottom {
			s.scroll()
		} else {
			s.y = min(s.y+1, len(s.cells)-1)
		}
	case '\b':
		s.x = max(0, s.x-1)
	case '\t':
		s.x = min(s.x/8*8+8, len(s.cells[0])-1)
	default:
		if r >= ' ' && s.y < len(s.cells) && s.x < len(s.cells[s.y]) {
			s.cells[s.y][s.x] = r
			s.x++
		}
	}
}

// scroll moves the lines of the scrolling region up by one.
func (s *terminal) scroll() {
	copy(s.cells[s.top:s.bottom], s.cells[s.top+1:s.bottom+1])
	s.cells[s.bottom] = []rune(strings.Repeat(" ", len(s.cells[0])))
}

// scrollBack moves the lines of the scrolling region down by one.
func (s *terminal) scrollBack() {
	copy(s.cells[s.top+1:s.bottom+1], s.cells[s.top:s.bottom])
	s.cells[s.top] = []rune(strings.Repeat(" ", len(s.cells[0])))
}

// escape handles one escape sequence and returns its length; 0 if it is incomplete.
func (s *terminal) escape(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '[':
		for i := 2; i < len(data); i++ {
			if data[i] >= 0x40 && data[i] <= 0x7e {
				s.control(string(data[2:i]), data[i])
				return i + 1
			}
		}
		return 0
	case ']', 'P', '_', '^': // up to BEL or ESC \
		for i := 2; i < len(data); i++ {
			if data[i] == 0x07 {
				return i + 1
			}
			if bytes.HasPrefix(data[i:], []byte("\x1b\\")) {
				return i + 2
			}
		}
		return 0
	case '(', ')':
		if len(data) < 3 {
			return 0
		}
		return 3
	case 'M': // a line up
		if s.y == s.top {
			s.scrollBack()
		} else {
			s.y = max(0, s.y-1)
		}
	}
	return 2
}

// control handles a control sequence of ECMA-48.
func (s *terminal) control(parameters string, final byte) {
	switch {
	case strings.HasPrefix(parameters, "?"):
		s.mode(strings.Split(parameters[1:], ";"), final == 'h')
		return
	case strings.ContainsAny(parameters, "<=>$ "):
		return
	}
	var numbers [2]int
	for i, p := range strings.SplitN(parameters, ";", 2) {
		numbers[i], _ = strconv.Atoi(p) // a missing number is 0
	}
	n, last := max(1, numbers[0]), len(s.cells)-1
	switch final {
	case 'm':
		s.colors(parameters)
	case 'H', 'f':
		s.y, s.x = min(n-1, last), max(1, numbers[1])-1
	case 'A':
		s.y = max(0, s.y-n)
	case 'B':
		s.y = min(last, s.y+n)
	case 'C':
		s.x += n
	case 'D':
		s.x = max(0, s.x-n)
	case 'G':
		s.x = n - 1
	case 'd':
		s.y = min(n-1, last)
	case 'r': // the scrolling region
		s.top, s.bottom = n-1, last
		if numbers[1] > 0 {
			s.bottom = min(last, numbers[1]-1)
		}
		s.x, s.y = 0, 0
	case 'J':
		s.eraseScreen(numbers[0])
	case 'K':
		s.eraseLine(numbers[0])
	case 'X':
		s.blank(s.y, s.x, s.x+n)
	}
}

func (s *terminal) colors(parameters string) {
	for _, p := range strings.Split(parameters, ";") {
		if n, err := strconv.Atoi(p); err == nil && (n >= 30 && n <= 49 && n != 39 && n != 49 || n >= 90 && n <= 107) {
			s.colored = true
		}
	}
}

func (s *terminal) mode(modes []string, on bool) {
	for _, mode := range modes {
		switch mode {
		case "1049":
			s.alt = on
			s.clear(len(s.cells[0]), len(s.cells))
		case "25":
			s.hidden = !on
		}
	}
}

func (s *terminal) blank(y, from, to int) {
	for x := max(0, from); x < to && x < len(s.cells[y]); x++ {
		s.cells[y][x] = ' '
	}
}

func (s *terminal) eraseLine(how int) {
	width := len(s.cells[s.y])
	switch how {
	case 0:
		s.blank(s.y, s.x, width)
	case 1:
		s.blank(s.y, 0, s.x+1)
	case 2:
		s.blank(s.y, 0, width)
	}
}

func (s *terminal) eraseScreen(how int) {
	for y := range s.cells {
		if how == 2 || how == 0 && y > s.y || how == 1 && y < s.y {
			s.blank(y, 0, len(s.cells[y]))
		}
	}
	if how != 2 {
		s.eraseLine(how)
	}
}
