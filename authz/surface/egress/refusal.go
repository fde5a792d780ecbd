package egress

// Reason says why a destination, a path or an address was refused. The words
// are stable: they reach denials and records.
type Reason string

const (
	// ReasonHost: no host name: empty, too long, an empty or overlong label, a
	// hyphen at the end of a label, a byte that no name has.
	ReasonHost Reason = "bad_host"
	// ReasonPort: not 1 to 65535 in plain decimal.
	ReasonPort Reason = "bad_port"
	// ReasonNoPort: none where one must be.
	ReasonNoPort Reason = "port_missing"
	// ReasonUserInfo: something in front of an at-sign.
	ReasonUserInfo Reason = "user_info"
	// ReasonEncoded: percent encoding in a host.
	ReasonEncoded Reason = "percent_encoding"
	// ReasonBytes: a control character, a space or a byte that is not ASCII.
	ReasonBytes Reason = "bad_bytes"
	// ReasonALabel: an xn-- label that stands for nothing, or for what could be
	// written without.
	ReasonALabel Reason = "bad_a_label"
	// ReasonNotation: an address in a spelling that only some readers take for
	// one, or take for another.
	ReasonNotation Reason = "address_notation"
	// ReasonZone: an address with a zone.
	ReasonZone Reason = "address_zone"
	// ReasonScheme: a request in absolute-form by another scheme than http.
	ReasonScheme Reason = "bad_scheme"

	// ReasonName: a name of a private or local kind.
	ReasonName Reason = "private_name"
	// ReasonHostPort: a name of egress.hosts at a port it does not have.
	ReasonHostPort Reason = "host_port"

	// ReasonClass: an address that is not of a class that is open.
	ReasonClass Reason = "address_class"
	// ReasonOwn: one of our own listeners.
	ReasonOwn Reason = "own_listener"
	// ReasonControlPort: a port of a cluster's control plane, inside.
	ReasonControlPort Reason = "control_plane_port"
	// ReasonMixed: some addresses of a name are public, some inside.
	ReasonMixed Reason = "mixed_answer"
	// ReasonNoAddress: no address at all.
	ReasonNoAddress Reason = "no_address"

	// ReasonPathForm: not a path from the root.
	ReasonPathForm Reason = "path_form"
	// ReasonPathLong: more than 4096 bytes.
	ReasonPathLong Reason = "path_too_long"
	// ReasonPathBytes: a byte that no path has.
	ReasonPathBytes Reason = "path_bytes"
	// ReasonFragment: a fragment, which no client sends.
	ReasonFragment Reason = "fragment"
	// ReasonEscape: percent encoding that is broken, or of bytes that are not
	// UTF-8.
	ReasonEscape Reason = "bad_escape"
	// ReasonDelimiter: an encoded byte that would cut the path elsewhere, or end
	// it, once decoded: a slash, a backslash, ? or #, a control character, or
	// a character that some reader turns into one of these.
	ReasonDelimiter Reason = "encoded_delimiter"
	// ReasonSlash: an encoded slash that no rule opens.
	ReasonSlash Reason = "encoded_slash"
	// ReasonDouble: an encoded percent sign, so that decoding twice gives
	// another path.
	ReasonDouble Reason = "double_encoding"
	// ReasonDots: a segment of one or two dots.
	ReasonDots Reason = "dot_segment"
	// ReasonEmptySegment: two slashes in a row.
	ReasonEmptySegment Reason = "empty_segment"
	// ReasonParameter: a semicolon, behind which some servers drop the segment.
	ReasonParameter Reason = "path_parameter"
)

// Codes of denials that reasons belong to; docs/denials.md has them.
const (
	CodeAuthority = "bad_authority"
	CodePath      = "bad_path"
	CodeName      = "name_denied"
	CodeAddress   = "address_denied"
)

// Refusal is the error of this package. It holds nothing of the request.
type Refusal struct {
	Reason Reason
	// Class is that of the address, with the reasons of addresses; else empty.
	Class Class
}

func refuse(r Reason) error { return &Refusal{Reason: r} }

// Error says the reason, and the class where there is one.
func (r *Refusal) Error() string {
	if r.Class != "" {
		return "reach destination: " + string(r.Reason) + ": " + string(r.Class)
	}
	return "reach destination: " + string(r.Reason)
}

// Code is the denial's code.
func (r *Refusal) Code() string {
	switch r.Reason {
	case ReasonHost, ReasonPort, ReasonNoPort, ReasonUserInfo, ReasonEncoded, ReasonBytes, ReasonALabel, ReasonNotation, ReasonZone, ReasonScheme:
		return CodeAuthority
	case ReasonName, ReasonHostPort:
		return CodeName
	case ReasonPathForm, ReasonPathLong, ReasonPathBytes, ReasonFragment, ReasonEscape, ReasonDelimiter, ReasonSlash, ReasonDouble,
		ReasonDots, ReasonEmptySegment, ReasonParameter:
		return CodePath
	default:
		return CodeAddress
	}
}

// Text is for a person: what is wrong and what would mend it.
func (r *Refusal) Text() string {
	switch r.Code() {
	case CodeAuthority:
		return r.authorityText()
	case CodePath:
		return r.pathText()
	default:
		return r.placeText()
	}
}

func (r *Refusal) authorityText() string {
	switch r.Reason {
	case ReasonPort:
		return "the port must be a decimal number from 1 to 65535, without sign or leading zeros"
	case ReasonNoPort:
		return "the destination must name its port, as in host.example:443"
	case ReasonUserInfo:
		return "the destination must not name a user: leave out what is in front of the at-sign"
	case ReasonEncoded:
		return "the host must be written without percent encoding"
	case ReasonBytes:
		return "the host must be ASCII without spaces and control characters: write other scripts in their xn-- form"
	case ReasonALabel:
		return "an xn-- label of the host is not the form of any label in another script"
	case ReasonNotation:
		return "an IPv4 address must be four decimal numbers without leading zeros, an IPv6 address in brackets and in its shortest form (RFC 5952)"
	case ReasonZone:
		return "an address must have no zone"
	case ReasonScheme:
		return "a proxy is sent requests for http alone: use CONNECT for all else"
	default:
		return "the host must be a name of labels of 1 to 63 letters, digits, hyphens or underscores, at most 253 bytes long"
	}
}

func (r *Refusal) pathText() string {
	switch r.Reason {
	case ReasonPathForm:
		return "the path must begin with a slash"
	case ReasonPathLong:
		return "the path must have at most 4096 bytes"
	case ReasonPathBytes:
		return "the path holds a byte that must be percent-encoded"
	case ReasonFragment:
		return "the path must be sent without a fragment"
	case ReasonEscape:
		return "the path's percent encoding must be of valid UTF-8"
	case ReasonDelimiter:
		return "the path must not hold an encoded slash, backslash, question mark, number sign or control character, nor what looks like one"
	case ReasonSlash:
		return "the path must not hold an encoded slash: no rule that would allow it says encodedSlashes: Keep"
	case ReasonDouble:
		return "the path must not hold an encoded percent sign"
	case ReasonDots:
		return "the path must not hold dot segments: send the path that they lead to"
	case ReasonEmptySegment:
		return "the path must not hold empty segments: send single slashes"
	default:
		return "the path must not hold parameters behind a semicolon"
	}
}

func (r *Refusal) placeText() string {
	switch r.Reason {
	case ReasonName:
		return "this name is of a private or local kind and is never looked up; trying other spellings will not help"
	case ReasonHostPort:
		return "the gateway's operator opened this name, but not at this port"
	case ReasonOwn:
		return "this is a listener of the gateway itself, which nothing reaches through the gateway"
	case ReasonControlPort:
		return "this port of the inside address space belongs to a cluster's control plane and is open only to names that the operator lists"
	case ReasonMixed:
		return "some of the name's addresses are public and some are not, and such an answer is refused whole"
	case ReasonNoAddress:
		return "the name has no address"
	default:
		return "the destination's address is " + string(r.Class) + " and not open; trying other spellings will not help"
	}
}
