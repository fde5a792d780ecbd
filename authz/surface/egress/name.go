package egress

import (
	"strings"

	"golang.org/x/net/idna"
)

// endsInNumber reports whether the last label of name is one that some
// resolver reads as a part of an address: digits, or 0x and hexadecimal digits
// (WHATWG URL section 3.5; inet_aton). name is in lower case.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// checkName refuses what is no host name: letters, digits, hyphens and, since
// such names are in use, underscores (RFC 1123 section 2.1, RFC 1035 section
// 2.3.4). name is in lower case.
func checkName(name string) error {
	if name == "" || len(name) > 253 {
		return refuse(ReasonHost)
	}
	for rest := name; rest != ""; {
		label, after, more := strings.Cut(rest, ".")
		if err := checkLabel(label); err != nil {
			return err
		}
		if more && after == "" {
			return refuse(ReasonHost)
		}
		rest = after
	}
	return nil
}

func checkLabel(label string) error {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return refuse(ReasonHost)
	}
	for i := range len(label) {
		if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return refuse(ReasonHost)
		}
	}
	if strings.HasPrefix(label, "xn--") {
		return checkALabel(label)
	}
	return nil
}

// checkALabel accepts an A-label (RFC 5890 section 2.3.2.1) that stands for a
// valid label in another script and is its only form. One that decodes to
// ASCII is not: the form of that is itself.
func checkALabel(label string) error {
	u, err := idna.Registration.ToUnicode(label)
	if err != nil {
		return refuse(ReasonALabel)
	}
	if a, err := idna.Registration.ToASCII(u); err != nil || a != label {
		return refuse(ReasonALabel)
	}
	return nil
}
