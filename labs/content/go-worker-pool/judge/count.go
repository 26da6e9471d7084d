package main

import (
	"errors"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"testing/fstest"

	"lab/count"
)

type scenario struct {
	Files  map[string]string `json:"files"`
	Names  []string          `json:"names"`
	Locked []string          `json:"locked"` // opening these fails
	Torn   []string          `json:"torn"`   // reading these fails half-way
	Meet   bool              `json:"meet"`   // no file opens before all of them are being opened
}

type trace struct {
	Met     bool           `json:"met"` // all files were being opened at the same time
	Ended   bool           `json:"ended"`
	Files   int            `json:"files"`
	Lines   int            `json:"lines"`
	Words   int            `json:"words"`
	Bytes   int            `json:"bytes"`
	Seen    map[string]int `json:"seen"`
	Failed  bool           `json:"failed"`
	Missing bool           `json:"missing"` // the error wraps fs.ErrNotExist
	Locked  bool           `json:"locked"`  // the error wraps fs.ErrPermission
	Torn    bool           `json:"torn"`    // the error wraps that of a read
	Open    int            `json:"open"`    // files that were opened and not closed
	Left    int            `json:"left"`
}

// drive is a file system that counts what is open, and lets files meet. What it does orders goroutines, so that the run without
// it is the one that shows races.
type drive struct {
	fstest.MapFS
	locked  map[string]bool
	torn    map[string]bool
	open    atomic.Int32
	waiting int32
	arrived atomic.Int32
	once    sync.Once
	all     chan struct{}
}

type file struct {
	fs.File
	drive *drive
	once  sync.Once
	rest  int // bytes that can still be read before it fails; below 0: all
}

var errTorn = errors.New("input/output error")

func (f *file) Read(into []byte) (int, error) {
	if f.rest < 0 {
		return f.File.Read(into)
	}
	if f.rest == 0 {
		return 0, errTorn
	}
	n, err := f.File.Read(into[:min(len(into), f.rest)])
	f.rest -= n
	return n, err
}

func (f *file) Close() error {
	f.once.Do(func() { f.drive.open.Add(-1) })
	return f.File.Close()
}

func (d *drive) Open(name string) (fs.File, error) {
	if d.waiting > 0 {
		if d.arrived.Add(1) >= d.waiting {
			d.once.Do(func() { close(d.all) })
		}
		came(d.all)
	}
	if d.locked[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	opened, err := d.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	rest := -1
	if d.torn[name] {
		rest = len(d.MapFS[name].Data) / 2
	}
	return &file{File: opened, drive: d, rest: rest}, nil
}

// ReadFile takes the way through Open; the one of MapFS would open nothing.
func (d *drive) ReadFile(name string) ([]byte, error) {
	return fs.ReadFile(struct{ fs.FS }{d}, name)
}

func play(given scenario) trace {
	var out trace
	before := runtime.NumGoroutine()
	files := fstest.MapFS{}
	for name, text := range given.Files {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	disk := &drive{MapFS: files, locked: map[string]bool{}, torn: map[string]bool{}, all: make(chan struct{})}
	for _, name := range given.Locked {
		disk.locked[name] = true
	}
	for _, name := range given.Torn {
		disk.torn[name] = true
	}
	var fsys fs.FS = files
	if given.Meet || len(given.Locked) > 0 || len(given.Torn) > 0 {
		fsys = disk
	}
	if given.Meet {
		disk.waiting = int32(len(given.Names))
	}
	done := make(chan struct{})
	var total count.Total
	var err error
	go func() {
		defer close(done)
		total, err = count.Files(fsys, given.Names)
	}()
	out.Met = !given.Meet || came(disk.all)
	disk.once.Do(func() { close(disk.all) })
	if out.Ended = came(done); out.Ended {
		out.Left = leftOver(before)
		out.Files, out.Lines, out.Words, out.Bytes = total.Files, total.Lines, total.Words, total.Bytes
		out.Seen = total.Seen
		out.Failed = err != nil
		out.Missing, out.Locked = errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission)
		out.Torn = errors.Is(err, errTorn)
		out.Open = int(disk.open.Load())
	}
	return out
}
