package admin

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// FileName is the file in the state folder that says where the door is.
const FileName = "admin.json"

// bearer lets in. It never shows itself.
type bearer string

// LogValue keeps a bearer out of logs.
func (bearer) LogValue() slog.Value { return slog.StringValue("[bearer]") }

// place is where the door is, and what opens it.
type place struct {
	Socket string `json:"socket"`
	Bearer string `json:"bearer"`
}

// newBearer draws 128 random bits.
func newBearer(r io.Reader) (bearer, error) {
	var b [16]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", fmt.Errorf("draw bearer: %w", err)
	}
	return bearer(hex.EncodeToString(b[:])), nil
}

// write puts the place into the state folder, whole or not at all.
func (p place) write(state string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("say where the admin socket is: %w", err)
	}
	f, err := os.CreateTemp(state, ".admin-*") // 0600
	if err != nil {
		return fmt.Errorf("say where the admin socket is: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(state, FileName))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("say where the admin socket is: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// ErrNotRunning means that no gateway runs on a state folder.
var ErrNotRunning = errors.New("no gateway runs on this state folder")

// ErrSocketGone means that the state folder names a gateway whose socket is not
// there: the gateway ended without tidying up, or it runs and something removed
// its runtime folder. Which of both, only its process tells.
var ErrSocketGone = errors.New("the gateway's admin socket is gone")

func readPlace(state string) (place, error) {
	var p place
	text, err := os.ReadFile(filepath.Join(state, FileName))
	if errors.Is(err, os.ErrNotExist) {
		return p, fmt.Errorf("%w: %s", ErrNotRunning, state)
	}
	if err != nil {
		return p, fmt.Errorf("find the admin socket: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("read %s: %w", filepath.Join(state, FileName), err)
	}
	return p, nil
}
