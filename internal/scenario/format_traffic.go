package scenario

// Traffic is many equal requests, and what their answers have to be together.
type Traffic struct {
	// As in expect.
	URL string `yaml:"url" jsonschema:"required,pattern=^https?://"`
	// The requests' method, GET if not given.
	Method string `yaml:"method,omitempty"`
	// The requests' headers.
	Header map[string]string `yaml:"header,omitempty"`
	// The requests' body.
	Body string `yaml:"body,omitempty"`
	// Name of a session, as in expect. Its first request goes alone, so that the others have its cookies.
	Session string `yaml:"session,omitempty"`
	// How many requests. Not given for traffic that lasts as long as something else, nor for a share that says which error
	// rates are wanted: then their number follows.
	Requests int `yaml:"requests,omitempty" jsonschema:"minimum=1,maximum=100000"`
	// How many requests a second are sent at most. As many as can be if not given; 200 with while.
	Rate int `yaml:"rate,omitempty" jsonschema:"minimum=1,maximum=10000"`
	// The traffic flows while these steps run, from its first answer until one second after the last of them.
	While []Step `yaml:"while,omitempty"`
	// How many are under way at the same time, 8 if not given.
	Concurrency int `yaml:"concurrency,omitempty" jsonschema:"minimum=1,maximum=256"`
	// What the answers have to be together.
	Expect TrafficExpect `yaml:"expect" jsonschema:"required"`
}

// TrafficExpect is what many answers have to be together. At least one field is given.
type TrafficExpect struct {
	// How many requests may fail: without a complete answer, or with a status of 500 or more.
	Failures *int `yaml:"failures,omitempty" jsonschema:"minimum=0"`
	// The statuses that occur: each of them at least once, and no other.
	Statuses []int `yaml:"statuses,omitempty"`
	// How long complete answers may take.
	Latency *Latency `yaml:"latency,omitempty"`
	// How many different pods answer.
	Pods *int `yaml:"pods,omitempty" jsonschema:"minimum=0"`
	// The share of one service or app.
	Share *Share `yaml:"share,omitempty"`
}

// Share is the share of the answers that one service or app gives. It is tested as a share of independent draws: of
// enough requests, how many may differ from the percentage is a matter of the confidence.
type Share struct {
	// Name of the Service that has the pods as endpoints.
	Service string `yaml:"service,omitempty"`
	// Name of the demo application.
	App string `yaml:"app,omitempty"`
	// The expected share in percent.
	Percent float64 `yaml:"percent" jsonschema:"required,minimum=0,maximum=100"`
	// How sure a controller that is right can be to pass, in percent; 99.9 if not given.
	Confidence float64 `yaml:"confidence,omitempty" jsonschema:"minimum=50,maximum=99.9999"`
	// A wrong share, in percent, that has to be told from the right one; with it and without requests, as many requests are
	// sent as that takes.
	DistinguishFrom float64 `yaml:"distinguishFrom,omitempty" jsonschema:"minimum=0,maximum=100"`
	// How sure a controller with that wrong share can be to fail, in percent; 99.9 if not given.
	Power float64 `yaml:"power,omitempty" jsonschema:"minimum=50,maximum=99.9999"`
}

// Latency is a budget: how long complete answers may take. At least one field is given.
type Latency struct {
	// The time that half of the answers keep within.
	P50 Duration `yaml:"p50,omitempty"`
	// The time that 99 of 100 answers keep within.
	P99 Duration `yaml:"p99,omitempty"`
}

func (s Share) confidence() float64 {
	if s.Confidence == 0 {
		return defaultConfidence
	}
	return s.Confidence
}

func (s Share) power() float64 {
	if s.Power == 0 {
		return defaultConfidence
	}
	return s.Power
}

// tells reports whether there is a wrong share to tell from the right one. 0 percent would be one, but cannot be given: a
// canary that never answers is caught by any share.
func (s Share) tells() bool { return s.DistinguishFrom != 0 }

// name is whose share it is.
func (s Share) name() string {
	if s.Service != "" {
		return "service " + s.Service
	}
	return "app " + s.App
}

const (
	// defaultConfidence lets a right controller fail once in a thousand runs.
	defaultConfidence  = 99.9
	defaultConcurrency = 8
	// whileRate is enough to meet a gap of some milliseconds, and leaves the machine time for what happens meanwhile.
	whileRate = 200
)
