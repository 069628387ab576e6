// Command readlog reads a validator's public log with the reference of Go's checksum database, golang.org/x/mod/sumdb: it
// verifies the signatures of the checkpoint, checks every entry's inclusion through authenticated tiles, and that older
// checkpoints are beginnings of the tree.
//
//	readlog URL TRUST [OLDER …]
//
// The reference knows neither cosignatures nor the paths of c2sp.org/tlog-tiles: cosigner and ReadTiles adapt it.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

// cosigner verifies signatures of type 0x04 (c2sp.org/tlog-cosignature).
type cosigner struct {
	name string
	key  []byte
}

func (c cosigner) Name() string { return c.name }

func (c cosigner) KeyHash() uint32 {
	hash := sha256.Sum256([]byte(c.name + "\n\x04" + string(c.key)))
	return binary.BigEndian.Uint32(hash[:])
}

func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(c.key, append([]byte(head), msg...), sig[8:])
}

// keys are the log keys and cosigners of a trust file, and the quorum.
func keys(trust string) (verifiers []note.Verifier, quorum int) {
	for _, line := range strings.Split(trust, "\n") {
		words := strings.Split(line, " ")
		switch {
		case words[0] == "log":
			verifiers = append(verifiers, try(note.NewVerifier(words[1])))
		case words[0] == "witness":
			parts := strings.SplitN(words[2], "+", 3)
			key := try(base64.StdEncoding.DecodeString(parts[2]))
			verifiers = append(verifiers, cosigner{parts[0], key[1:]})
		case words[0] == "group" && words[1] == "quorum":
			quorum = try(strconv.Atoi(words[2]))
		}
	}
	return verifiers, quorum
}

// tree opens a checkpoint: every line verifies, one at least is the log's, and a quorum has cosigned.
func tree(text []byte, verifiers []note.Verifier, quorum int) tlog.Tree {
	opened := try(note.Open(text, note.VerifierList(verifiers...)))
	lines := strings.Split(opened.Text, "\n")
	cosigned := 0
	for _, sig := range opened.Sigs {
		if sig.Name != lines[0] {
			cosigned++
		}
	}
	if len(opened.UnverifiedSigs) > 0 || cosigned < quorum || cosigned == len(opened.Sigs) {
		log.Fatalf("%d cosignatures of %d lines, %d unknown lines", cosigned, len(opened.Sigs), len(opened.UnverifiedSigs))
	}
	wrong := strings.Replace(string(text), "\n"+lines[1]+"\n", "\n"+lines[1]+"1\n", 1)
	if _, err := note.Open([]byte(wrong), note.VerifierList(verifiers...)); err == nil {
		log.Fatal("the signatures hold for another size, too")
	}
	return tlog.Tree{N: try(strconv.ParseInt(lines[1], 10, 64)), Hash: try(tlog.ParseHash(lines[2]))}
}

// reader fetches tiles from a URL.
type reader string

func (r reader) Height() int { return tileHeight }

func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r reader) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		data = append(data, r.get("/"+strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
	}
	return data, nil
}

func (r reader) get(path string) []byte {
	answer := try(http.Get(string(r) + path))
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		log.Fatalf("%s answers %s", path, answer.Status)
	}
	return try(io.ReadAll(answer.Body))
}

// entries fetches the entries of one tile.
func (r reader) entries(tile tlog.Tile) (entries [][]byte) {
	data := r.get("/" + strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1))
	for len(data) > 0 {
		length := int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:2+length:2+length]), data[2+length:]
	}
	return entries
}

func main() {
	log.SetFlags(0)
	verifiers, quorum := keys(string(try(os.ReadFile(os.Args[2]))))
	server := reader(os.Args[1])
	newest := tree(server.get("/checkpoint"), verifiers, quorum)
	hashes := tlog.TileHashReader(newest, server)
	checked := int64(0)
	for checked < newest.N {
		tile := tlog.Tile{H: tileHeight, N: checked >> tileHeight, W: 1 << tileHeight}
		if left := newest.N - checked; left < int64(tile.W) {
			tile.W = int(left)
		}
		for _, entry := range server.entries(tile) {
			proof := try(tlog.ProveRecord(newest.N, checked, hashes))
			check(tlog.CheckRecord(proof, newest.N, newest.Hash, checked, tlog.RecordHash(entry)))
			if tlog.CheckRecord(proof, newest.N, newest.Hash, checked, tlog.RecordHash(append(entry, 0))) == nil {
				log.Fatalf("any entry is at %d", checked)
			}
			checked++
		}
	}
	if checked != newest.N {
		log.Fatalf("%d entries in a tree of %d", checked, newest.N)
	}
	for _, path := range os.Args[3:] {
		older := tree(try(os.ReadFile(path)), verifiers, quorum)
		proof := try(tlog.ProveTree(newest.N, older.N, hashes))
		check(tlog.CheckTree(proof, newest.N, newest.Hash, older.N, older.Hash))
		older.Hash[0] ^= 1
		if tlog.CheckTree(proof, newest.N, newest.Hash, older.N, older.Hash) == nil {
			log.Fatalf("any tree has size %d", older.N)
		}
	}
	fmt.Printf("%d entries included, %d older checkpoints consistent\n", checked, len(os.Args)-3)
}

func try[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
