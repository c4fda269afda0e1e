package rpc

import (
	"compress/gzip"
	"io"

	"connectrpc.com/connect"
)

// LimitGzip ends the decompression of a message after most bytes. Connect would decompress the rest to say how large it is, and a
// MiB of gzip can be a GiB.
func LimitGzip(most int) connect.HandlerOption {
	return connect.WithCompression("gzip",
		func() connect.Decompressor { return &decompressor{most: int64(most)} },
		func() connect.Compressor { return gzip.NewWriter(io.Discard) })
}

// decompressor lets one byte more than most pass, by which Connect sees that there are too many.
type decompressor struct {
	gzip.Reader
	most, left int64
}

// Reset implements [connect.Decompressor].
func (d *decompressor) Reset(source io.Reader) error {
	d.left = d.most + 1
	return d.Reader.Reset(source)
}

// Read implements [io.Reader].
func (d *decompressor) Read(p []byte) (int, error) {
	n, err := io.LimitReader(&d.Reader, d.left).Read(p)
	d.left -= int64(n)
	return n, err
}
