// Program rtsp is the camera of the end-to-end tests: a real RTSP server that plays raw H.264 or H.265 files in a loop, asks for a password,
// and can be told to misbehave.
//
// usage: rtsp -listen 127.0.0.1:PORT -control 127.0.0.1:PORT [-user U -password P] [-auth digest|basic|sha256] [-fps N] PATH=FILE...
//
// GET /set?mode=play|stall|broken on the control address: frames come, no packet comes at all, or packets hold noise. GET /drop cuts every
// connection. GET /readers answers with the number of sessions that play, GET /played with the paths that have been played, a line each.
package main

import (
	"bytes"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/pion/rtp"
)

const (
	play int32 = iota
	stall
	broken
)

type camera struct {
	user, password string
	streams        map[string]*gortsplib.ServerStream
	mode           atomic.Int32
	mutex          sync.Mutex
	sessions       map[*gortsplib.ServerSession]bool
	connections    map[*gortsplib.ServerConn]bool
	played         []string
}

func (c *camera) OnConnOpen(ctx *gortsplib.ServerHandlerOnConnOpenCtx) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.connections[ctx.Conn] = true
}

func (c *camera) OnConnClose(ctx *gortsplib.ServerHandlerOnConnCloseCtx) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.connections, ctx.Conn)
}

func (c *camera) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.sessions, ctx.Session)
}

// find gives the stream of a path, to those who know the password.
func (c *camera) find(conn *gortsplib.ServerConn, request *base.Request, path, query string) (*base.Response, *gortsplib.ServerStream, error) {
	if c.user != "" && !conn.VerifyCredentials(request, c.user, c.password) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	if query != "" {
		path += "?" + query
	}
	stream, found := c.streams[path]
	if !found {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, stream, nil
}

func (c *camera) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return c.find(ctx.Conn, ctx.Request, ctx.Path, ctx.Query)
}

func (c *camera) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return c.find(ctx.Conn, ctx.Request, ctx.Path, ctx.Query)
}

func (c *camera) OnPlay(ctx *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.sessions[ctx.Session] = true
	c.played = append(c.played, ctx.Path)
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// pump plays the file for ever, an access unit each 1/fps s.
func (c *camera) pump(stream *gortsplib.ServerStream, encode func([][]byte) ([]*rtp.Packet, error), units [][][]byte, fps int) {
	timestamp := uint32(0)
	ticker := time.NewTicker(time.Second / time.Duration(fps))
	for i := 0; ; i++ {
		<-ticker.C
		timestamp += uint32(90000 / fps)
		mode := c.mode.Load()
		if mode == stall {
			continue
		}
		packets, err := encode(units[i%len(units)])
		if err != nil {
			log.Fatal(err)
		}
		for _, packet := range packets {
			packet.Timestamp = timestamp
			if mode == broken {
				// The first byte says what the packet is; all after it is noise.
				_, _ = rand.Read(packet.Payload[1:])
			}
			_ = stream.WritePacketRTP(stream.Desc.Medias[0], packet)
		}
	}
}

// split takes a raw stream (ITU-T H.264 Annex B) apart into access units. first tells whether a NAL unit begins a new one.
func split(raw []byte, first func(nal []byte) (vcl, begins bool)) [][][]byte {
	var units [][][]byte
	var unit [][]byte
	seen := false
	for _, nal := range bytes.Split(raw, []byte{0, 0, 1}) {
		nal = bytes.TrimRight(nal, "\x00")
		if len(nal) < 2 {
			continue
		}
		vcl, begins := first(nal)
		if seen && (begins || !vcl) {
			units, unit, seen = append(units, unit), nil, false
		}
		unit, seen = append(unit, nal), seen || vcl
	}
	return append(units, unit)
}

func (c *camera) open(server *gortsplib.Server, file string, fps int) (*gortsplib.ServerStream, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var f format.Format
	var encode func([][]byte) ([]*rtp.Packet, error)
	var units [][][]byte
	switch path.Ext(file) {
	case ".h264":
		h264 := &format.H264{PayloadTyp: 96, PacketizationMode: 1}
		encoder, err := h264.CreateEncoder()
		if err != nil {
			return nil, err
		}
		f, encode = h264, encoder.Encode
		units = split(raw, func(nal []byte) (bool, bool) {
			kind := nal[0] & 0x1f
			// first_mb_in_slice is 0: its Exp-Golomb code is a single 1.
			return kind >= 1 && kind <= 5, nal[1]&0x80 != 0
		})
		// A camera's description holds them, so that a player need not wait for the next whole picture.
		for _, nal := range units[0] {
			switch nal[0] & 0x1f {
			case 7:
				h264.SPS = nal
			case 8:
				h264.PPS = nal
			}
		}
	case ".h265":
		h265 := &format.H265{PayloadTyp: 96}
		encoder, err := h265.CreateEncoder()
		if err != nil {
			return nil, err
		}
		f, encode = h265, encoder.Encode
		units = split(raw, func(nal []byte) (bool, bool) {
			kind := (nal[0] >> 1) & 0x3f
			// first_slice_segment_in_pic_flag.
			return kind < 32, len(nal) > 2 && nal[2]&0x80 != 0
		})
		for _, nal := range units[0] {
			switch (nal[0] >> 1) & 0x3f {
			case 32:
				h265.VPS = nal
			case 33:
				h265.SPS = nal
			case 34:
				h265.PPS = nal
			}
		}
	default:
		return nil, fmt.Errorf("%s: neither .h264 nor .h265", file)
	}
	stream := &gortsplib.ServerStream{Server: server, Desc: &description.Session{
		Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{f}}},
	}}
	if err := stream.Initialize(); err != nil {
		return nil, err
	}
	go c.pump(stream, encode, units, fps)
	return stream, nil
}

func (c *camera) control(w http.ResponseWriter, r *http.Request) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch r.URL.Path {
	case "/set":
		mode, known := map[string]int32{"play": play, "stall": stall, "broken": broken}[r.URL.Query().Get("mode")]
		if !known {
			http.Error(w, "mode is play, stall or broken", http.StatusBadRequest)
			return
		}
		c.mode.Store(mode)
	case "/drop":
		for connection := range c.connections {
			go connection.Close()
		}
	case "/readers":
		fmt.Fprint(w, len(c.sessions))
	case "/played":
		fmt.Fprint(w, strings.Join(c.played, "\n"))
	default:
		http.NotFound(w, r)
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8554", "")
	control := flag.String("control", "127.0.0.1:8555", "")
	user := flag.String("user", "", "")
	password := flag.String("password", "", "")
	method := flag.String("auth", "digest", "")
	fps := flag.Int("fps", 10, "")
	flag.Parse()
	methods := map[string][]auth.VerifyMethod{
		"digest": {auth.VerifyMethodDigestMD5},
		"basic":  {auth.VerifyMethodBasic},
		"sha256": {auth.VerifyMethodDigestSHA256},
	}[*method]
	c := &camera{
		user: *user, password: *password, streams: map[string]*gortsplib.ServerStream{},
		sessions: map[*gortsplib.ServerSession]bool{}, connections: map[*gortsplib.ServerConn]bool{},
	}
	// Nobody is answered before the streams are there.
	c.mutex.Lock()
	server := &gortsplib.Server{Handler: c, RTSPAddress: *listen, AuthMethods: methods}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	for _, argument := range flag.Args() {
		at := strings.LastIndex(argument, "=")
		stream, err := c.open(server, argument[at+1:], *fps)
		if err != nil {
			log.Fatal(err)
		}
		c.streams[argument[:at]] = stream
	}
	c.mutex.Unlock()
	go func() { log.Fatal(http.ListenAndServe(*control, http.HandlerFunc(c.control))) }()
	log.Fatal(server.Wait())
}
