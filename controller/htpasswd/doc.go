// Package htpasswd checks user names and passwords against files that the command htpasswd writes,
// https://httpd.apache.org/docs/2.4/programs/htpasswd.html. It does not read the files itself.
//
// It reads the common formats of nginx's auth_basic_user_file
// (https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html): bcrypt, APR1 and MD5-crypt,
// SHA-crypt, {SHA}, {SSHA}, and {PLAIN}. It rejects the old DES crypt of htpasswd -d, which checks
// only eight characters and can be broken in minutes.
package htpasswd
