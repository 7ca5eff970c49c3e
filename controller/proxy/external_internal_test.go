package proxy

import "testing"

func TestRefuseLocalAddresses(t *testing.T) {
	for address, allowed := range map[string]bool{
		"127.0.0.1:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false, "0.0.0.0:80": false, "[::]:80": false,
		"169.254.169.254:80": false, "[fe80::1]:80": false, "224.0.0.1:80": false,
		"[fd00:ec2::254]:80": false, "[fd20:ce::254]:80": false, "100.100.100.200:80": false,
		"10.96.0.10:80": true, "[fd00:10:96::a]:80": true, "203.0.113.7:443": true,
	} {
		if err := refuseLocal("tcp", address, nil); (err == nil) != allowed {
			t.Errorf("dial %s: allowed %v, want %v; %v", address, err == nil, allowed, err)
		}
	}
}
