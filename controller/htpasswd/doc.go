// Package htpasswd checks user names and passwords against the files that the command htpasswd writes,
// https://httpd.apache.org/docs/2.4/programs/htpasswd.html. It is pure: bytes go in, Users come out.
//
// Formats are those of nginx's auth_basic_user_file (https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html), as far
// as they occur: bcrypt, APR1 and MD5-crypt, SHA-crypt, {SHA}, {SSHA} and {PLAIN}. The old DES crypt, which htpasswd -d
// writes, is refused: it looks at eight characters only and is broken in minutes.
package htpasswd
