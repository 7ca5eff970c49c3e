package htpasswd_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/ingresslab/ingresslab/controller/htpasswd"
)

// formats are hashes of "open sesame" from htpasswd, openssl passwd, and openssl sha1.
var formats = map[string]string{
	"apr1":              "$apr1$saltsalt$HIDXe7D36X22w1CH4M1cQ.",
	"md5":               "$1$saltsalt$Yo6tRKYGO/jWyb1etwHDS/",
	"sha256":            "$5$saltsalt$yrhPKxCqiWcCE9h0g86j6Ugz7SDFdFm.BjU.d8RaQnC",
	"sha512":            "$6$saltsalt$e/5XKibXPLqVcfjpD.ouauaJrAOL5V0uo80Lt7n7EbRdRiCx3HbQ90yjOHr.G0T.mx79PEMRy8nmtr0qSYhQp1",
	"sha512-of-rounds":  "$6$rounds=2000$saltsalt$jPedHngBXcBEZfTb.sMfNkhJU2jnnd52RWqoTwTF2hQKzOTJNz7NW5Tjt60cGvcuCOn8wpECtbkFrKkf6APCY0",
	"sha":               "{SHA}W8r/fyL/UzygmbNAjq2HbA67qac=",
	"ssha":              "{SSHA}hN5uxFJUEWCPg56kk42tnVCdJ61zYWx0",
	"plain":             "{PLAIN}open sesame",
	"sha-and-a-comment": "{SHA}W8r/fyL/UzygmbNAjq2HbA67qac=:Ali Baba",
}

func bcryptOf(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func TestFormats(t *testing.T) {
	// htpasswd -B writes $2y$, which is the same hash.
	hashes := map[string]string{"bcrypt": strings.Replace(bcryptOf(t, "open sesame"), "$2a$", "$2y$", 1)}
	for name, hash := range formats {
		hashes[name] = hash
	}
	var file strings.Builder
	for user, hash := range hashes {
		file.WriteString(user + ":" + hash + "\r\n")
	}
	users, diagnostics := htpasswd.Parse([]byte("# users\n\n" + file.String()))
	if len(diagnostics) > 0 || users.Len() != len(hashes) {
		t.Fatalf("%d users, want %d; diagnostics %v", users.Len(), len(hashes), diagnostics)
	}
	for user := range hashes {
		for password, want := range map[string]bool{"open sesame": true, "open sesam": false, "open sesame ": false, "": false} {
			if got := users.Match(user, password); got != want {
				t.Errorf("%s with %q: %t", user, password, got)
			}
		}
	}
	for _, stranger := range []string{"", "unknown", "SHA"} {
		if users.Match(stranger, "open sesame") {
			t.Errorf("unknown user %q can log in", stranger)
		}
	}
}

func TestMap(t *testing.T) {
	users, diagnostics := htpasswd.ParseMap(map[string][]byte{"ali": []byte(formats["apr1"] + "\n"), "cassim": []byte("open sesame")})
	if !users.Match("ali", "open sesame") || users.Match("cassim", "open sesame") || users.Len() != 1 {
		t.Error("want a login for ali, and none for cassim, whose value is no hash")
	}
	if len(diagnostics) != 1 || diagnostics[0].Where != "key cassim" {
		t.Errorf("diagnostics %v", diagnostics)
	}
}

func TestDiagnosticsShowLineButNoHash(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"no colon":               {"ali", "no colon"},
		"no user":                {":{PLAIN}secret", "no user"},
		"no hash":                {"ali:", "missing"},
		"a password in clear":    {"ali:secret", "unknown"},
		"DES":                    {"ali:secretpA/.lZ", "unknown"},
		"half a bcrypt":          {"ali:$2y$05$secret", "bcrypt hash is incomplete"},
		"bcrypt cost too high":   {"ali:$2y$31$" + strings.Repeat("s", 53), "cost 31"},
		"half an APR1":           {"ali:$apr1$secret", "MD5-crypt hash is incomplete"},
		"half a SHA-crypt":       {"ali:$6$secret", "SHA-crypt hash is incomplete"},
		"SHA-crypt of no rounds": {"ali:$6$rounds=secret$salt$" + strings.Repeat("s", 86), "SHA-crypt hash is incomplete"},
		"SHA-crypt too slow":     {"ali:$6$rounds=99999999$salt$" + strings.Repeat("s", 86), "99999999 rounds"},
		"SHA of no base64":       {"ali:{SHA}secret!", "damaged"},
		"a user twice":           {"good:{PLAIN}secret", "already"},
	} {
		t.Run(name, func(t *testing.T) {
			users, diagnostics := htpasswd.Parse([]byte("good:" + formats["sha"] + "\n" + c.line + "\n"))
			if len(diagnostics) != 1 || diagnostics[0].Where != "line 2" || !strings.Contains(diagnostics[0].Reason, c.want) {
				t.Fatalf("diagnostics %v, want one with %q", diagnostics, c.want)
			}
			if strings.Contains(diagnostics[0].Reason, "secret") {
				t.Errorf("%q contains a part of the password", diagnostics[0].Reason)
			}
			if !users.Match("good", "open sesame") || users.Match("ali", "secret") || users.Match("good", "secret") {
				t.Error("an invalid line must affect its own user only")
			}
		})
	}
}

// FuzzParse checks that an invalid file only prevents logins.
func FuzzParse(f *testing.F) {
	for _, hash := range formats {
		f.Add("user:"+hash, "open sesame")
	}
	f.Add("user:$6$rounds=1000$$", "")
	f.Add("#\n:\nuser", "")
	f.Fuzz(func(t *testing.T, file, password string) {
		if strings.Contains(file, "rounds=") || strings.Contains(file, "$2") {
			password = "" // slow hashes are not under test
		}
		users, diagnostics := htpasswd.Parse([]byte(file))
		if slices.Contains(diagnostics, htpasswd.Diagnostic{}) {
			t.Error("a Diagnostic is empty")
		}
		if users.Match("", password) {
			t.Error("an empty user name can log in")
		}
		if users.Match("user", password) && users.Len() == 0 {
			t.Error("a user can log in although none exists")
		}
	})
}
