package tui

import (
	"strings"
	"testing"
)

func TestLongCommandsAreFolded(t *testing.T) {
	const lesson = "Look at it, for as long as this line may be:\n\n```console\n" +
		"$ curl -s -H 'Host: a very long name' http://127.0.0.1:8080/path | grep one\n" +
		"an output that is as long as it wants to be stays as it is\n" +
		"$ short\n" +
		"$ openssl req -x509 -newkey rsa:2048 -nodes \\\n" +
		"    -days 365 -subj /CN=secure.localhost -keyout tls.key\n" +
		"$ cat > file <<'END'\n" +
		"a text that is longer than the screen stays as it is, too\n" +
		"END\n" +
		"$ echo 'what is quoted cannot be broken without a change'\n" +
		"```\n\n```yaml\n$ no command: but a text that is longer than that\n```\n"
	const want = "Look at it, for as long as this line may be:\n\n```console\n" +
		"$ curl -s -H 'Host: a very long name' \\\n      http://127.0.0.1:8080/path | grep one\n" +
		"an output that is as long as it wants to be stays as it is\n" +
		"$ short\n" +
		"$ openssl req -x509 -newkey rsa:2048 \\\n      -nodes \\\n" +
		"    -days 365 -subj /CN=secure.localhost \\\n      -keyout tls.key\n" +
		"$ cat > file <<'END'\n" +
		"a text that is longer than the screen stays as it is, too\n" +
		"END\n" +
		"$ echo \\\n      'what is quoted cannot be broken without a change'\n" +
		"```\n\n```yaml\n$ no command: but a text that is longer than that\n```"
	if got := fold(lesson, 43); got != want {
		t.Errorf("folded to\n%s\nwant\n%s", got, want)
	}
	if got := fold(lesson, 200); got != strings.TrimRight(lesson, "\n") {
		t.Errorf("fold changed a text that fits:\n%s", got)
	}
}
