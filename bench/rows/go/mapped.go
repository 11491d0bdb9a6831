// Memory Mapped, in Go: the seed's event stream in a mapped file, with hash/crc32 and a sync.Mutex.
//
//	mapped PATH SOURCES COUNT SIZE steady|touched|cold
//
// writes COUNT messages of SIZE bytes into a fresh file at PATH, twice, and prints the nanoseconds of the
// second pass. SOURCES is a file of contents, SIZE bytes each, which the messages go through in turn.
// Creating, mapping and touching the file's pages are not part of the time; "cold" empties the caches after that;
// "steady" writes each file over from its start, ten times, and the last counts.
package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// StreamHeader stands once at the start of the file.
type StreamHeader struct {
	WriteOffset    int64
	EventCount     int64
	StartTimestamp int64
}

// EventEntry stands before the data of each event.
type EventEntry struct {
	Timestamp int64
	Size      uint32
	Checksum  uint32
}

const (
	headerSize = int(unsafe.Sizeof(StreamHeader{}))
	entrySize  = int(unsafe.Sizeof(EventEntry{}))
)

// EventStream is a mapped file that any goroutine may append to.
type EventStream struct {
	mutex  sync.Mutex
	memory []byte
	header *StreamHeader
}

// touch writes to every page.
func touch(memory []byte) {
	for at := 0; at < len(memory); at += os.Getpagesize() {
		memory[at] = 0
	}
}

// cool reads so much other memory that little of a stream is left in the caches.
func cool() {
	elsewhere := make([]byte, 64<<20)
	touch(elsewhere)
	if bytes.IndexByte(elsewhere, 1) != -1 {
		panic("there is a 1 in memory full of zeros")
	}
}

func create(path string, size int) *EventStream {
	file, err := os.Create(path)
	check(err)
	defer file.Close()
	check(file.Truncate(int64(size)))
	memory, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	check(err)
	touch(memory)
	stream := &EventStream{memory: memory, header: (*StreamHeader)(unsafe.Pointer(&memory[0]))}
	stream.header.WriteOffset = int64(headerSize)
	stream.header.StartTimestamp = time.Now().UnixNano()
	return stream
}

// Append writes one event behind the last one.
func (stream *EventStream) Append(data []byte) error {
	stream.mutex.Lock()
	defer stream.mutex.Unlock()
	start := int(stream.header.WriteOffset)
	body := start + entrySize
	end := body + len(data)
	if end > len(stream.memory) {
		return syscall.ENOSPC
	}
	entry := (*EventEntry)(unsafe.Pointer(&stream.memory[start]))
	entry.Timestamp = time.Now().UnixNano()
	entry.Size = uint32(len(data))
	entry.Checksum = crc32.ChecksumIEEE(data)
	copy(stream.memory[body:end], data)
	stream.header.EventCount++
	stream.header.WriteOffset = int64(end)
	return nil
}

func pass(path string, messages [][]byte, caches string) time.Duration {
	size := headerSize
	for _, message := range messages {
		size += entrySize + len(message)
	}
	stream := create(path, size)
	passes := 1
	if caches == "steady" {
		passes = 10
	}
	var taken time.Duration
	for ; passes > 0; passes-- {
		stream.header.WriteOffset = int64(headerSize)
		stream.header.EventCount = 0
		runtime.GC()
		if caches == "cold" {
			cool()
		}
		start := time.Now()
		for _, message := range messages {
			check(stream.Append(message))
		}
		taken = time.Since(start)
	}
	check(syscall.Munmap(stream.memory))
	return taken
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "mapped PATH SOURCES COUNT SIZE steady|touched|cold")
		os.Exit(2)
	}
	sources, err := os.ReadFile(os.Args[2])
	check(err)
	count, err := strconv.Atoi(os.Args[3])
	check(err)
	size, err := strconv.Atoi(os.Args[4])
	check(err)
	messages := make([][]byte, count)
	for i := range messages {
		from := i * size % len(sources)
		messages[i] = sources[from : from+size]
	}
	pass(os.Args[1], messages, os.Args[5])
	fmt.Println(pass(os.Args[1], messages, os.Args[5]).Nanoseconds())
}
