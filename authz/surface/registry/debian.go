package registry

import (
	"slices"
	"strings"
)

// readDebian reads an archive: indexes below dists, files below pool. A name is
// SOURCE/PACKAGE.
func readDebian(s []string) Request {
	switch {
	case s[0] == "dists" && len(s) > 2 && plainSegments(s[1:]) && debianIndex(s[1:]):
		return Request{Operation: Index}
	case s[0] == "pool" && (len(s) == 5 || len(s) == 6) && plainSegments(s[1:]):
		return poolFile(s[len(s)-3], s[len(s)-2], s[len(s)-1])
	}
	return Request{}
}

// debianIndex reports whether a file below dists lists something. Some archives
// have their packages there too, and installers are there in most.
func debianIndex(s []string) bool {
	file := s[len(s)-1]
	for _, folder := range s[:len(s)-1] {
		if folder == "pool" || strings.HasPrefix(folder, "installer-") {
			return false
		}
	}
	if len(s) > 3 && s[len(s)-3] == "by-hash" {
		return hexOf(file, len(file))
	}
	if strings.HasSuffix(s[len(s)-2], ".diff") {
		return made(file, "-.") && !strings.Contains(file, ".deb") && !strings.Contains(file, ".udeb")
	}
	stem, end, packed := strings.Cut(file, ".")
	if packed && !slices.Contains([]string{"bz2", "gpg", "gz", "lz4", "lzma", "xz", "yml.gz", "yml.xz", "zst", "tar.gz"}, end) {
		return false
	}
	kind, _, _ := strings.Cut(stem, "-")
	return slices.Contains([]string{"Commands", "Components", "Contents", "InRelease", "Packages", "Release", "Sources", "Translation", "icons"}, kind)
}

// poolFile reads PREFIX/SOURCE/FILE.
func poolFile(prefix, source, file string) Request {
	if !debianName(source) || prefix != poolPrefix(source) {
		return Request{}
	}
	name, version, ok := strings.Cut(file, "_")
	if !ok || !debianName(name) {
		return Request{}
	}
	if version, ok = debianVersion(version, name == source); !ok {
		return Request{}
	}
	return Request{Operation: Artifact, Name: source + "/" + name, Version: version, File: file}
}

// poolPrefix is the folder of a source package.
func poolPrefix(source string) string {
	if strings.HasPrefix(source, "lib") && len(source) > 3 {
		return source[:4]
	}
	return source[:1]
}

// debianName is a package's name (Debian Policy 5.6.1).
func debianName(s string) bool {
	return len(s) > 1 && len(s) <= 128 && madeLower(s, "-+.") && alphanumeric(s[0])
}

// debianVersion reads what follows the name in a file's: VERSION_ARCH.deb, or
// for a source package what its files end with.
func debianVersion(s string, ofSource bool) (string, bool) {
	for _, end := range []string{".deb", ".udeb"} {
		if stem, ok := strings.CutSuffix(s, end); ok {
			version, arch, ok := strings.Cut(stem, "_")
			return version, ok && madeLower(arch, "-") && versionLike(version) && made(version, ".+-~:")
		}
	}
	if !ofSource {
		return "", false
	}
	for _, end := range []string{".dsc", ".diff.gz", ".debian.tar.gz", ".debian.tar.xz", ".orig.tar.gz", ".orig.tar.xz", ".orig.tar.bz2", ".tar.gz", ".tar.xz"} {
		if version, ok := strings.CutSuffix(s, end); ok {
			return version, versionLike(version) && made(version, ".+-~:")
		}
	}
	return "", false
}
