// SPDX-License-Identifier: Apache-2.0

// main.go: csi-sanity for drivers that have a Node service alone, its outcome as TAP.
//
// The suite makes the volumes that it publishes through a Controller service, and Berth's controller speaks the Kubernetes API
// instead. So its calls are answered here, on their way: CreateVolume gives a new id and the attributes of one existing directory.
// All others go to the agent unchanged but for target paths, which get the shape that a kubelet's have (others are refused), below a
// pod that is there: the kubelet removes the folders of others.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// The suite's other parts ask for what a Controller service does: there is none, and what answers here is not Berth.
var parts = []string{"Identity Service", "Node Service"}

type attributes map[string]string

func (a attributes) String() string { return "" }

func (a attributes) Set(word string) error {
	name, value, found := strings.Cut(word, "=")
	if !found {
		return fmt.Errorf("%q is not NAME=VALUE", word)
	}
	a[name] = value
	return nil
}

type test struct {
	folder string // below it the targets lie: KUBELET-ROOT/pods/UID/volumes/kubernetes.io~csi
	volume attributes
	cases  int
	failed int
}

// FOLDER/target becomes FOLDER/target/mount; its parent is the kubelet's to make.
func (t *test) target(path string) string {
	if filepath.Dir(path) != t.folder {
		return path
	}
	return path + "/mount"
}

// The calls of a Controller service, true where this is one.
func (t *test) controller(request, reply any) bool {
	var answer proto.Message
	switch r := request.(type) {
	case *csi.ControllerGetCapabilitiesRequest:
		answer = &csi.ControllerGetCapabilitiesResponse{}
	case *csi.CreateVolumeRequest:
		answer = &csi.CreateVolumeResponse{Volume: &csi.Volume{
			VolumeId: r.GetName(), CapacityBytes: r.GetCapacityRange().GetRequiredBytes(), VolumeContext: t.volume}}
	case *csi.DeleteVolumeRequest:
		answer = &csi.DeleteVolumeResponse{}
	default:
		return false
	}
	proto.Merge(reply.(proto.Message), answer)
	return true
}

func (t *test) call(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption) error {
	if t.controller(request, reply) {
		return nil
	}
	if strings.HasPrefix(method, "/csi.v1.Controller/") {
		return status.Error(codes.Unimplemented, method)
	}
	switch r := request.(type) {
	case *csi.NodePublishVolumeRequest:
		r.TargetPath = t.target(r.TargetPath)
	case *csi.NodeUnpublishVolumeRequest:
		r.TargetPath = t.target(r.TargetPath)
	case *csi.NodeGetVolumeStatsRequest:
		r.VolumePath = t.target(r.VolumePath)
	}
	if err := invoke(ctx, method, request, reply, cc, options...); err != nil {
		return err
	}
	if r, is := reply.(*csi.GetPluginCapabilitiesResponse); is {
		r.Capabilities = append(r.Capabilities, &csi.PluginCapability{Type: &csi.PluginCapability_Service_{
			Service: &csi.PluginCapability_Service{Type: csi.PluginCapability_Service_CONTROLLER_SERVICE}}})
	}
	return nil
}

func (t *test) make(string) (string, error) {
	for _, name := range []string{"target", "other_target"} {
		if err := os.MkdirAll(filepath.Join(t.folder, name), 0o750); err != nil {
			return "", err
		}
	}
	return t.folder, nil
}

// Plainly, no deeper: what the agent left mounted or in there would be found.
func (t *test) remove(string) error {
	for _, name := range []string{"target", "other_target"} {
		if err := os.Remove(filepath.Join(t.folder, name)); err != nil {
			return err
		}
	}
	return nil
}

func (t *test) look(path string) (sanity.PathKind, error) {
	info, err := os.Lstat(t.target(path))
	switch {
	case os.IsNotExist(err):
		return sanity.PathIsNotFound, nil
	case err != nil:
		return "", err
	case info.IsDir():
		return sanity.PathIsDir, nil
	}
	return sanity.PathIsOther, nil
}

func isOurs(name string) bool {
	for _, part := range parts {
		if strings.HasPrefix(name, part+" ") {
			return true
		}
	}
	return false
}

func (t *test) report(r ginkgo.SpecReport) {
	name := r.FullText()
	if r.LeafNodeType != types.NodeTypeIt || !isOurs(name) {
		return
	}
	t.cases++
	switch {
	case r.State.Is(types.SpecStatePassed):
		fmt.Printf("ok %d - %s\n", t.cases, name)
	case r.State.Is(types.SpecStateSkipped | types.SpecStatePending):
		fmt.Printf("ok %d - %s # SKIP %s\n", t.cases, name, strings.ReplaceAll(r.Failure.Message, "\n", " "))
	default:
		t.failed++
		fmt.Printf("# %s\nnot ok %d - %s\n", strings.ReplaceAll(r.Failure.Message+"\n"+r.CapturedGinkgoWriterOutput, "\n", "\n# "),
			t.cases, name)
	}
}

func (t *test) Fail() {}

func main() {
	t := &test{volume: attributes{}}
	config := sanity.NewTestConfig()
	root := flag.String("kubelet-root", "/var/lib/kubelet", "below it the volumes are published")
	pod := flag.String("pod", "", "uid of a pod that runs on the node")
	flag.StringVar(&config.Address, "endpoint", "", "the driver's socket, unix:///PATH")
	flag.Var(t.volume, "attribute", "NAME=VALUE of the volumes' attributes, any number of them")
	flag.Parse()
	if config.Address == "" || *pod == "" || len(t.volume) == 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	t.folder = filepath.Join(*root, "pods", *pod, "volumes", "kubernetes.io~csi")
	config.CreateTargetDir, config.RemoveTargetPath, config.CheckPath = t.make, t.remove, t.look
	config.StagingPath = ""
	config.DialOptions = append(config.DialOptions, grpc.WithUnaryInterceptor(t.call))

	suite := sanity.GinkgoTest(&config)
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.ReportAfterEach(t.report)
	settings, reporter := ginkgo.GinkgoConfiguration()
	settings.FocusStrings = parts
	settings.Timeout = 2 * time.Minute
	formatter.ColorableStdOut = io.Discard
	passed := ginkgo.RunSpecs(t, "sanity", settings, reporter)
	suite.Finalize()
	fmt.Printf("1..%d\n", t.cases)
	if !passed || t.failed > 0 {
		os.Exit(1)
	}
}
