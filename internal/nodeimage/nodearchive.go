package nodeimage

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// nodeArchive writes a `docker load` archive with one uncompressed layer, for speed.
type nodeArchive struct {
	recipe  recipe
	kindDir string
	built   func(key string) string
	runner  runner
}

// archiveFile is the result of the stage.
const archiveFile = "node-image.tar"

// recipeLabel is the image label with the recipe's full digest. The tag has only the first digits.
const recipeLabel = "io.ingresslab.recipe"

func (s nodeArchive) run(ctx context.Context, dir string, detail func(string)) error {
	cri, err := ociSpec(ctx, s.runner, filepath.Join(s.built("containerd"), "ctr"))
	if err != nil {
		return err
	}
	over, err := nodeTree(s.kindDir, s.recipe.kubernetesVersion(), cri, s.built)
	if err != nil {
		return err
	}
	detail("writing the root file system")
	layer := filepath.Join(dir, "layer.tar")
	digest, err := writeLayer(ctx, layer, filepath.Join(s.built(rootfsKey), rootfsTar), over)
	if err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	detail("writing the image archive")
	config, err := json.Marshal(nodeConfig(s.recipe, digest))
	if err != nil {
		return err
	}
	if err := writeImage(ctx, filepath.Join(dir, archiveFile), s.recipe.ref(), config, layer); err != nil {
		return fmt.Errorf("write image archive: %w", err)
	}
	return os.Remove(layer)
}

// nodeConfig returns the image's configuration; see the end of kind's images/base/Dockerfile.
func nodeConfig(r recipe, layerDigest string) v1.ConfigFile {
	return v1.ConfigFile{
		Created:      v1.Time{Time: time.Now()},
		OS:           "linux",
		Architecture: r.arch,
		Config: v1.Config{
			// systemd looks for this variable: https://systemd.io/CONTAINER_INTERFACE/
			Env:        []string{"container=docker", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			Entrypoint: []string{"/usr/local/bin/entrypoint", "/sbin/init"},
			// SIGTERM makes systemd restart; SIGRTMIN+3 makes it halt (systemd(1)).
			StopSignal: "SIGRTMIN+3",
			Labels: map[string]string{
				recipeLabel:                        r.digests[nodeKey],
				"org.opencontainers.image.title":   "ingresslab node",
				"org.opencontainers.image.version": r.kubernetesVersion(),
			},
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{{Algorithm: "sha256", Hex: layerDigest}}},
	}
}

// nodeDescription returns a digest of the files and settings that this package adds to an image.
func nodeDescription() string {
	return digestOf(podnetManifest, journaldConf, oomScoreConf, oomScoreScript,
		containerdOption, containerdBeside, containerdAfterAll, criBaseWithout)
}

// writeLayer writes the layer and returns its SHA-256 in hexadecimal.
func writeLayer(ctx context.Context, file, rootfs string, over tree) (digest string, err error) {
	out, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(out, sum), 1<<20)
	layer := layerWriter{tar: tar.NewWriter(buffered), written: map[string]bool{}}
	base, err := os.Open(rootfs)
	if err != nil {
		return "", err
	}
	defer func() { _ = base.Close() }() // it was only read
	if err := layer.addBase(ctx, base, over); err != nil {
		return "", err
	}
	if err := layer.addTree(ctx, over); err != nil {
		return "", err
	}
	if err := errors.Join(layer.tar.Close(), buffered.Flush()); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

type layerWriter struct {
	tar     *tar.Writer
	written map[string]bool
}

// addBase copies the root file system, except files that are dropped or replaced.
func (w layerWriter) addBase(ctx context.Context, base io.Reader, over tree) error {
	reader := tar.NewReader(bufio.NewReaderSize(base, 1<<20))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err := errors.Join(err, context.Cause(ctx)); err != nil {
			return err
		}
		name := path.Clean(strings.TrimPrefix(header.Name, "./"))
		if _, covered := over[name]; covered || name == "." || dropped(name, header) {
			continue
		}
		w.written[name] = true
		if err := w.tar.WriteHeader(header); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := io.Copy(w.tar, reader); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

// addTree adds the files in order, each after its parent directories.
func (w layerWriter) addTree(ctx context.Context, over tree) error {
	for _, name := range slices.Sorted(maps.Keys(over)) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		for i, char := range name {
			if parent := name[:i]; char == '/' && !w.written[parent] {
				if _, own := over[parent]; own {
					continue // over contains this directory, which sorts before its files
				}
				if err := w.add(parent, entry{mode: fs.ModeDir | 0o755}); err != nil {
					return fmt.Errorf("%s: %w", parent, err)
				}
			}
		}
		if err := w.add(name, over[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (w layerWriter) add(name string, e entry) error {
	header := &tar.Header{Name: name, Mode: int64(e.mode.Perm()), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	w.written[name] = true
	switch {
	case e.mode.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
		return w.tar.WriteHeader(header)
	case e.target != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.target
		return w.tar.WriteHeader(header)
	case e.source == "":
		header.Typeflag, header.Size = tar.TypeReg, int64(len(e.content))
		return w.copy(header, bytes.NewReader(e.content))
	}
	file, err := os.Open(e.source)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	return w.copy(header, file)
}

func (w layerWriter) copy(header *tar.Header, content io.Reader) error {
	if err := w.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(w.tar, content)
	return err
}

// writeImage writes a `docker save` archive (https://github.com/moby/docker-image-spec).
func writeImage(ctx context.Context, file, ref string, config []byte, layer string) (err error) {
	const configName, layerName = "config.json", "layer.tar"
	manifest, err := json.Marshal([]map[string]any{
		{"Config": configName, "RepoTags": []string{ref}, "Layers": []string{layerName}},
	})
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	writer := layerWriter{tar: tar.NewWriter(out), written: map[string]bool{}}
	err = writer.addTree(ctx, tree{
		configName:      {mode: 0o644, content: config},
		layerName:       {mode: 0o644, source: layer},
		"manifest.json": {mode: 0o644, content: manifest},
	})
	return errors.Join(err, writer.tar.Close())
}
