package spile_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/format"
)

// A console for people, here without the time, so that it prints the same every day.
func ExampleNewConsole() {
	lines, err := format.NewPattern(format.PatternOptions{Pattern: "[$level] $metadata$message\n", AllKeys: true})
	if err != nil {
		panic(err)
	}
	console := spile.NewConsole(spile.ConsoleOptions{
		Writer:      os.Stdout, // Without it, the standard error.
		BaseOptions: spile.BaseOptions{Formatter: lines, Level: slog.LevelDebug},
	})
	logger := slog.New(spile.New(console))

	logger.Info("cart opened", "cart", 7)
	logger.Debug("price asked", "item", "tea pot")

	// Output:
	// [info] cart=7 cart opened
	// [debug] item="tea pot" price asked
}

// A file that is rotated every day or when it has 100 MiB; ten old ones are kept, compressed.
func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "spile-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	file, err := spile.OpenFile(spile.FileOptions{
		Path:        filepath.Join(dir, "app.log"),
		MaxSize:     100 << 20,
		MaxAge:      24 * time.Hour,
		MaxFiles:    10,
		Compress:    true,
		BaseOptions: spile.BaseOptions{Formatter: plain},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	logger := slog.New(spile.New(file)).With(spile.Namespace("shop"))

	logger.Info("cart opened", "cart", 7)
	if err := file.Close(context.Background()); err != nil {
		fmt.Println(err)
	}

	text, _ := os.ReadFile(file.Path())
	fmt.Print(string(text))
	// Output: shop info cart opened {"cart":7}
}

// Rotation by logrotate, which renames the file and sends a hangup.
func ExampleFile_ReopenOn() {
	dir, err := os.MkdirTemp("", "spile-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file, err := spile.OpenFile(spile.FileOptions{Path: filepath.Join(dir, "app.log")})
	if err != nil {
		fmt.Println(err)
		return
	}

	ended := make(chan error)
	go func() { ended <- file.ReopenOn(context.Background()) }()

	if err := file.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-ended)
	// Output: backend is closed
}

// A writer may be anything: a pipe, a connection, memory.
func ExampleNewWriter() {
	var out strings.Builder
	writer := spile.NewWriter(spile.WriterOptions{Writer: &out, BufferSize: 4096})
	logger := slog.New(spile.New(writer)).With(spile.Namespace("shop"))

	logger.Info("cart opened", "cart", 7)
	fmt.Printf("%d bytes before it is flushed\n", out.Len())
	if err := writer.Flush(context.Background()); err != nil {
		fmt.Println(err)
	}
	_, text, _ := strings.Cut(out.String(), ",") // Without the time.
	fmt.Print(text)
	// Output:
	// 0 bytes before it is flushed
	// "level":"info","source":"shop","message":"cart opened","cart":7}
}

// A test that looks at what was logged, also by another goroutine.
func ExampleNewMemory() {
	memory := spile.NewMemory(spile.MemoryOptions{})
	logger := slog.New(spile.New(memory))

	go logger.Warn("disk nearly full", "free", 512)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := memory.Wait(ctx, 1); err != nil {
		fmt.Println(err)
		return
	}
	e := memory.Events()[0]
	free, _ := e.Metadata.Get("free")
	fmt.Println(e.Level, e.Message, free.Text())
	// Output: warning disk nearly full 512
}

// A library that stays silent until its user adds a backend.
func ExampleNewNull() {
	handler := spile.New(spile.NewNull())
	logger := slog.New(handler).With(spile.Namespace("lib"))
	logger.Error("nobody hears this")

	if err := handler.Add(stdout("user", slog.LevelInfo)); err != nil {
		fmt.Println(err)
	}
	logger.Info("somebody listens")
	// Output: lib info somebody listens {}
}
