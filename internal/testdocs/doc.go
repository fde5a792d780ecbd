// Package testdocs holds the README and the pages of docs to reality: it types
// their commands into a shell, beside a gateway that really runs, and compares
// what is printed; it checks their objects, their links and the commands that
// they name.
//
// A page needs nothing for that. Blocks are told apart by their language:
//
//	sh       commands, each of which must end well
//	console  commands behind a $, and what they print; … stands for any text,
//	         and alone on a line for any lines
//	yaml     objects, which hopgate check must find good
//	json     must be JSON
//	text     is only shown
//
// A comment before a block, which a reader does not see, says what else is to
// be done with it:
//
//	<!-- test: skip REASON -->      not typed
//	<!-- test: client NAME -->      typed by e2e/clients, through a gateway of its own
//	<!-- test: if COMMAND -->       typed where COMMAND ends well
//	<!-- test: file PATH -->        written to a file, for later commands
//	<!-- test: shown -->            lines that the running gateway has shown
//	<!-- test: type COMMAND -->     no block: typed, and not shown to the reader
//	<!-- test: stop -->             no block: the running gateway is ended
//
// The program is the tree's, with the built-in ports taken from the environment,
// and example.com opened at this machine, where a site stands for it (program
// and world). The text of a page is changed in the same places and no others.
package testdocs
