package admission

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Path is the URL path for reviews, as in the ValidatingWebhookConfiguration.
const Path = "/validate/ingresses"

// maxReview is the size limit of a review in bytes. A review contains an Ingress at most twice, and
// the API server accepts objects up to 3 MiB (https://github.com/kubernetes/kubernetes/pull/68346).
const maxReview = 8 << 20

// Handler serves the reviews of the API server under Path.
func (s Source) Handler(log *slog.Logger) http.Handler {
	// One review at a time: each one builds a table, and many reviews must not starve the loop.
	turn := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, func(w http.ResponseWriter, r *http.Request) {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-r.Context().Done():
			return
		}
		s.serve(w, r, log)
	})
	return mux
}

func (s Source) serve(w http.ResponseWriter, r *http.Request, log *slog.Logger) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReview)).Decode(&review); err != nil {
		http.Error(w, fmt.Sprintf("not an AdmissionReview: %v", err), http.StatusBadRequest)
		return
	}
	if review.Request == nil {
		http.Error(w, "the AdmissionReview has no request", http.StatusBadRequest)
		return
	}
	response, err := s.answer(review.Request)
	if err != nil {
		log.Error("cannot review an ingress", "namespace", review.Request.Namespace, "name", review.Request.Name, "error", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if !response.Allowed {
		log.Info("rejected an ingress", "namespace", review.Request.Namespace, "name", review.Request.Name, "reason", response.Result.Message)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(admissionv1.AdmissionReview{ // the API server went away
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: response,
	})
}

// answer reviews the object of a request. It accepts everything except created and updated
// Ingresses. It also accepts an Ingress that is being deleted, so that finalizers can be removed.
func (s Source) answer(q *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error) {
	response := &admissionv1.AdmissionResponse{UID: q.UID, Allowed: true}
	changes := q.Operation == admissionv1.Create || q.Operation == admissionv1.Update
	if !changes || q.Resource.Group != networkingv1.GroupName || q.Resource.Resource != "ingresses" || q.SubResource != "" {
		return response, nil
	}
	var candidate networkingv1.Ingress
	if err := json.Unmarshal(q.Object.Raw, &candidate); err != nil {
		return nil, fmt.Errorf("object of the review: %w", err)
	}
	if candidate.DeletionTimestamp != nil {
		return response, nil
	}
	if candidate.Namespace == "" {
		candidate.Namespace = q.Namespace
	}
	if candidate.CreationTimestamp.IsZero() {
		// Without a timestamp, the new Ingress would be the oldest and win every conflict.
		candidate.CreationTimestamp = metav1.NewTime(time.Now())
	}
	verdict, err := s.Review(&candidate)
	if err != nil {
		return nil, err
	}
	response.Warnings = warnings(verdict.Warnings)
	if len(verdict.Rejected) > 0 {
		response.Allowed = false
		response.Result = &metav1.Status{
			Status:  metav1.StatusFailure,
			Code:    http.StatusUnprocessableEntity,
			Reason:  metav1.StatusReasonInvalid,
			Message: strings.Join(verdict.Rejected, "; "),
		}
	}
	return response, nil
}

// The API server documents these limits for warnings, in characters, and truncates longer ones.
const (
	maxWarning  = 256
	maxWarnings = 4096
)

// warnings applies these limits, and adds the number of omitted warnings.
func warnings(all []string) []string {
	var list []string
	total := 0
	for i, w := range all {
		if len(w) > maxWarning {
			w = strings.ToValidUTF8(w[:maxWarning-3], "") + "..."
		}
		if total += len(w); total > maxWarnings-maxWarning {
			return append(list, fmt.Sprintf("%d more problems are on the controller's status page", len(all)-i))
		}
		list = append(list, w)
	}
	return list
}
