// Checks what Placet exports with code that is not Placet's: Go's golang.org/x/mod/sumdb/note and tlog, as Debian has them
// (golang-go, golang-golang-x-mod-dev). Build it with
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o verify verify.go
//
// and call it as
//
//	verify export DIR KEY [WITNESS-KEY ...]
//	verify receipt FILE KEY
//
// It knows the C2SP formats and nothing of what a leaf means but where the digest of the body stands. The tree is rebuilt
// from the entries and compared with every tile: a reader that takes hashes from tiles (tlog.TileHashReader) may hand out
// tiles that it has not checked.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: verify export DIR KEY [WITNESS-KEY ...] | verify receipt FILE KEY")
		os.Exit(2)
	}
	var said string
	var err error
	switch os.Args[1] {
	case "export":
		said, err = export(os.Args[2], os.Args[3], os.Args[4:])
	case "receipt":
		said, err = receipt(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("neither export nor receipt: %s", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(said)
}

// A witness's key: type 4, a time before the signature (C2SP tlog-cosignature), which the note package does not know.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.hash }
func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	message := append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)), text...)
	return ed25519.Verify(w.key, message, signature[8:])
}

func newWitness(text string) (note.Verifier, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("the witness's key is none")
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, errors.New("the witness's key is not of type 4")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if binary.BigEndian.Uint32(sum[:4]) != uint32(hash) {
		return nil, errors.New("the witness's key has another id")
	}
	return witness{parts[0], uint32(hash), key[1:]}, nil
}

// The head that a checkpoint signs, once the key and every witness have been found to have signed it.
func open(checkpoint []byte, key string, witnesses []string) (tlog.Tree, error) {
	log, err := note.NewVerifier(key)
	if err != nil {
		return tlog.Tree{}, err
	}
	verifiers := []note.Verifier{log}
	for _, text := range witnesses {
		known, err := newWitness(text)
		if err != nil {
			return tlog.Tree{}, err
		}
		verifiers = append(verifiers, known)
	}
	signed, err := note.Open(checkpoint, note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	by := map[string]bool{}
	for _, signature := range signed.Sigs {
		by[signature.Name] = true
	}
	for _, verifier := range verifiers {
		if !by[verifier.Name()] {
			return tlog.Tree{}, fmt.Errorf("checkpoint: %s has not signed it", verifier.Name())
		}
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != log.Name() {
		return tlog.Tree{}, errors.New("checkpoint: it is of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func path(kind string, number, count int64) string {
	name := fmt.Sprintf("%03d", number%1000)
	for rest := number / 1000; rest > 0; rest /= 1000 {
		name = fmt.Sprintf("x%03d/%s", rest%1000, name)
	}
	if count < width {
		name += fmt.Sprintf(".p/%d", count)
	}
	return filepath.Join("tile", kind, name)
}

func countOf(all, number int64) int64 {
	if rest := all - number*width; rest < width {
		return rest
	}
	return width
}

func export(dir, key string, witnesses []string) (string, error) {
	checkpoint, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return "", err
	}
	tree, err := open(checkpoint, key, witnesses)
	if err != nil {
		return "", err
	}
	lines, err := os.Open(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		return "", err
	}
	defer lines.Close()
	line := bufio.NewReaderSize(lines, 1<<20)

	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(hashes)) {
				return nil, errors.New("a hash that no entry gives")
			}
			found[i] = hashes[index]
		}
		return found, nil
	})
	for number := int64(0); number*width < tree.N; number++ {
		count := countOf(tree.N, number)
		name := path("entries", number, count)
		bundle, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		for i := int64(0); i < count; i++ {
			index := number*width + i
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return "", fmt.Errorf("%s: entry %d is cut off", name, index)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2:end]
			bundle = bundle[end:]
			more, err := tlog.StoredHashes(index, entry, reader)
			if err != nil {
				return "", err
			}
			hashes = append(hashes, more...)
			text, err := line.ReadBytes('\n')
			if err != nil {
				return "", fmt.Errorf("events.jsonl: line %d: %w", index+1, err)
			}
			if err := body(text, entry); err != nil {
				return "", fmt.Errorf("events.jsonl: line %d: %w", index+1, err)
			}
		}
		if len(bundle) != 0 {
			return "", fmt.Errorf("%s: bytes follow its last entry", name)
		}
	}
	if _, err := line.ReadByte(); err == nil {
		return "", errors.New("events.jsonl: lines follow the one of the last entry")
	}
	if tree.N > 0 {
		root, err := tlog.TreeHash(tree.N, reader)
		if err != nil {
			return "", err
		}
		if root != tree.Hash {
			return "", errors.New("the root of the entries is not that of the checkpoint")
		}
	}
	if err := tiles(dir, tree.N, reader); err != nil {
		return "", err
	}
	if err := payloads(filepath.Join(dir, "payloads")); err != nil {
		return "", err
	}
	return fmt.Sprintf("ok: %d entries, root %v", tree.N, tree.Hash), nil
}

// Every hash of every tile must be that of the rebuilt tree.
func tiles(dir string, size int64, reader tlog.HashReader) error {
	for level, all := 0, size; all > 0; level, all = level+1, all/width {
		for number := int64(0); number*width < all; number++ {
			count := countOf(all, number)
			name := path(strconv.Itoa(level), number, count)
			found, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			tile := tlog.Tile{H: 8, L: level, N: number, W: int(count)}
			rebuilt, err := tlog.ReadTileData(tile, reader)
			if err != nil {
				return err
			}
			if !bytes.Equal(found, rebuilt) {
				return fmt.Errorf("%s: it is not the tile of the entries", name)
			}
		}
	}
	return nil
}

// The body in a line must be the one whose digest stands in the entry.
func body(line, entry []byte) error {
	var said struct {
		Body []byte `json:"body_bytes"`
	}
	if err := json.Unmarshal(line, &said); err != nil {
		return err
	}
	digest := sha256.Sum256(said.Body)
	if len(entry) < 80 || !bytes.Equal(digest[:], entry[48:80]) {
		return errors.New("its body is not the one of the entry")
	}
	return nil
}

// A sealed payload has the digest of its bytes as its name.
func payloads(dir string) error {
	files, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return err
		}
		if fmt.Sprintf("%x", sha256.Sum256(content)) != file.Name() {
			return fmt.Errorf("payloads/%s: its bytes are not those of its name", file.Name())
		}
	}
	return nil
}

// Each event of a receipt must be in the tree of the checkpoint that its proof ends with.
func receipt(file, key string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var said struct {
		Decision string
		Events   []struct {
			Line, Proof string
			Leaf        []byte
		}
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return "", err
	}
	if len(said.Events) == 0 {
		return "", errors.New("the receipt has no events")
	}
	for place, event := range said.Events {
		if err := proven(event.Proof, key, event.Leaf); err != nil {
			return "", fmt.Errorf("event %d: %w", place+1, err)
		}
		if err := body([]byte(event.Line), event.Leaf); err != nil {
			return "", fmt.Errorf("event %d: %w", place+1, err)
		}
	}
	return fmt.Sprintf("ok: %d events about %s", len(said.Events), said.Decision), nil
}

// C2SP tlog-proof.
func proven(proof, key string, leaf []byte) error {
	head, checkpoint, found := strings.Cut(proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("its proof is none")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var hashes tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		hashes = append(hashes, hash)
	}
	tree, err := open([]byte(checkpoint), key, nil)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
}
