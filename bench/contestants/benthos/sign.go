package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

type event struct {
	ID     string `json:"event_id"`
	Images []struct {
		URL string `json:"url"`
	} `json:"images"`
}

// signing makes the call's form of an upload event, and its signature, which the http processor sends.
type signing struct{ host string }

func init() {
	must(service.RegisterProcessor("sign", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.Processor, error) {
			provider, err := url.Parse(task("PROVIDER"))
			if err != nil {
				return nil, err
			}
			return &signing{provider.Host}, nil
		}))
}

func (s *signing) Process(_ context.Context, message *service.Message) (service.MessageBatch, error) {
	value, err := message.AsBytes()
	if err != nil {
		return nil, err
	}
	var upload event
	if err := json.Unmarshal(value, &upload); err != nil {
		return nil, err
	}
	if len(upload.Images) == 0 {
		return nil, fmt.Errorf("no image in %s", upload.ID)
	}
	parameters, err := json.Marshal(map[string]string{"imageUrl": upload.Images[0].URL, "dataId": upload.ID})
	if err != nil {
		return nil, err
	}
	body := "Service=baselineCheck_global&ServiceParameters=" + url.QueryEscape(string(parameters))
	payload, date, nonce := digest(body), time.Now().UTC().Format("2006-01-02T15:04:05Z"), random()
	lines := "content-type:application/x-www-form-urlencoded\nhost:" + s.host +
		"\nx-acs-action:ImageModeration\nx-acs-content-sha256:" + payload + "\nx-acs-date:" + date +
		"\nx-acs-signature-nonce:" + nonce + "\nx-acs-version:2022-03-02\n"
	const names = "content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
	canonical := strings.Join([]string{"POST", "/", "", lines, names, payload}, "\n")
	mac := hmac.New(sha256.New, []byte("bench-secret"))
	mac.Write([]byte("ACS3-HMAC-SHA256\n" + digest(canonical)))
	signature := hex.EncodeToString(mac.Sum(nil))

	message.SetBytes([]byte(body))
	message.MetaSetMut("event_id", upload.ID)
	message.MetaSetMut("payload", payload)
	message.MetaSetMut("date", date)
	message.MetaSetMut("nonce", nonce)
	message.MetaSetMut("authorization",
		"ACS3-HMAC-SHA256 Credential=bench,SignedHeaders="+names+",Signature="+signature)
	return service.MessageBatch{message}, nil
}

func (*signing) Close(context.Context) error { return nil }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func random() string {
	bytes := make([]byte, 16)
	_, err := rand.Read(bytes)
	must(err)
	return hex.EncodeToString(bytes)
}
