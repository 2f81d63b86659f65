package service

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/origin"
)

// What is steered in the manifests that the media's script made.
var (
	uriOf   = regexp.MustCompile(`URI="([^"]*)"`)
	groupOf = regexp.MustCompile(`((?:GROUP-ID|AUDIO)=")([^"]*)"`)
)

// steer is a manifest of the origin, vod/… or live/…, with every CDN as a
// pathway; the first is where players begin until they have asked.
func (s *Service) steer(name string, now time.Time) Reply {
	found, err := s.origin.Object("/"+name, now)
	if err != nil || len(s.pathways) == 0 {
		return Reply{Status: http.StatusNotFound}
	}
	folder := "/" + path.Dir(name) + "/"
	switch found.Type {
	case origin.TypeOf(".m3u8"):
		found.Body = []byte(s.steerHLS(string(found.Body), folder))
	case origin.TypeOf(".mpd"):
		found.Body = []byte(s.steerDASH(string(found.Body), folder))
	default:
		return Reply{Status: http.StatusNotFound}
	}
	found.ETag, found.MaxAge = "", 0
	return Reply{Own: &found}
}

// steerHLS has all variants and renditions once for each pathway (RFC 8216bis,
// 4.4.6.6).
func (s *Service) steerHLS(text, folder string) string {
	var head, body strings.Builder
	for i, p := range s.pathways {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			at := p.Base + folder
			switch {
			case line == "":
			case strings.HasPrefix(line, "#EXT-X-MEDIA:"), strings.HasPrefix(line, "#EXT-X-STREAM-INF:"):
				line = uriOf.ReplaceAllString(line, `URI="`+at+`${1}"`)
				line = groupOf.ReplaceAllString(line, `${1}${2}-`+p.Name+`"`)
				if strings.HasPrefix(line, "#EXT-X-STREAM-INF:") {
					line += `,PATHWAY-ID="` + p.Name + `"`
				}
				fmt.Fprintln(&body, line)
			case !strings.HasPrefix(line, "#"):
				fmt.Fprintln(&body, at+line)
			case i == 0:
				fmt.Fprintln(&head, line)
			}
		}
	}
	fmt.Fprintf(&head, "#EXT-X-CONTENT-STEERING:SERVER-URI=%q,PATHWAY-ID=%q\n", SteeringPath, s.pathways[0].Name)
	return head.String() + body.String()
}

// mpdHead is the MPD's own tag.
var mpdHead = regexp.MustCompile(`(?s)(<MPD[^>]*>)`)

// steerDASH has a BaseURL for each pathway. Players ask where to go before they
// start (ETSI TS 103 998, 5).
func (s *Service) steerDASH(text, folder string) string {
	var b strings.Builder
	for _, p := range s.pathways {
		fmt.Fprintf(&b, "\n  <BaseURL serviceLocation=%q>%s</BaseURL>", p.Name, p.Base+folder)
	}
	fmt.Fprintf(&b, "\n  <ContentSteering defaultServiceLocation=%q queryBeforeStart=\"true\">%s</ContentSteering>", s.pathways[0].Name, s.base+SteeringPath)
	return mpdHead.ReplaceAllString(text, "${1}"+strings.ReplaceAll(b.String(), "$", "$$"))
}
