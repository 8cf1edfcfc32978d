// SPDX-License-Identifier: Apache-2.0
// main.go: grpc-go, as the kubelet has it, with Kubernetes' and CSI's own messages, against csiserver.
// Usage: client CSI-SOCKET REGISTRATION-SOCKET. Prints TAP results without a plan.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

func report(ok bool, name string, got ...any) {
	if ok {
		fmt.Printf("ok - grpc-go: %s\n", name)
		return
	}
	fmt.Printf("# got %v\nnot ok - grpc-go: %s\n", got, name)
}

// As pkg/volume/csi newGrpcConn does: a new connection for each call.
func dialCSI(path string) *grpc.ClientConn {
	c, err := grpc.NewClient("passthrough:///"+path,
		grpc.WithAuthority("localhost"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, target string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", target)
		}))
	if err != nil {
		panic(err)
	}
	return c
}

// As the plugin manager's operation generator dials: the path is the target, and so the authority.
func dialRegistration(path string) *grpc.ClientConn {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	//nolint:staticcheck // the kubelet's own way
	c, err := grpc.DialContext(ctx, path,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithBlock(),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", addr)
		}))
	if err != nil {
		fmt.Printf("# %v\nnot ok - grpc-go: dials the registration socket\n", err)
		os.Exit(1)
	}
	return c
}

func publish(id string) *csi.NodePublishVolumeRequest {
	return &csi.NodePublishVolumeRequest{
		VolumeId:      id,
		TargetPath:    "/var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/pv/mount",
		Readonly:      true,
		VolumeContext: map[string]string{"server": "10.0.0.1", "export": "/data", "csi.storage.k8s.io/pod.name": "web-0"},
		Secrets:       map[string]string{"password": "hunter2"},
		VolumeCapability: &csi.VolumeCapability{
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER},
			AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{
				FsType: "nfs", MountFlags: []string{"vers=4.2", `context="a:b:c1,c2"`}, VolumeMountGroup: "1234"}},
		},
	}
}

func after(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func identity(path string) {
	c := dialCSI(path)
	defer c.Close()
	ctx, cancel := after(20 * time.Second)
	defer cancel()
	id, node := csi.NewIdentityClient(c), csi.NewNodeClient(c)
	info, err := id.GetPluginInfo(ctx, &csi.GetPluginInfoRequest{})
	report(err == nil && info.Name == "nfs.berth.dev" && info.VendorVersion == "0.1.0", "GetPluginInfo", info, err)
	caps, err := id.GetPluginCapabilities(ctx, &csi.GetPluginCapabilitiesRequest{})
	report(err == nil && len(caps.Capabilities) == 1 && caps.Capabilities[0].GetService().GetType() ==
		csi.PluginCapability_Service_VOLUME_ACCESSIBILITY_CONSTRAINTS, "GetPluginCapabilities", caps, err)
	ready, err := id.Probe(ctx, &csi.ProbeRequest{})
	report(err == nil && ready.Ready.GetValue(), "Probe", ready, err)
	n, err := node.NodeGetCapabilities(ctx, &csi.NodeGetCapabilitiesRequest{})
	text := ""
	for _, cap := range n.GetCapabilities() {
		text += cap.GetRpc().GetType().String() + " "
	}
	report(err == nil && text == "GET_VOLUME_STATS VOLUME_CONDITION SINGLE_NODE_MULTI_WRITER VOLUME_MOUNT_GROUP ",
		"NodeGetCapabilities", text, err)
	i, err := node.NodeGetInfo(ctx, &csi.NodeGetInfoRequest{})
	report(err == nil && i.NodeId == "n1" && i.MaxVolumesPerNode == 500 &&
		i.AccessibleTopology.Segments["topology.berth.dev/node"] == "n1", "NodeGetInfo", i, err)
}

func volumes(path string) {
	c := dialCSI(path)
	defer c.Close()
	ctx, cancel := after(30 * time.Second)
	defer cancel()
	node := csi.NewNodeClient(c)
	_, err := node.NodePublishVolume(ctx, publish("pv-1"))
	report(err == nil, "NodePublishVolume", err)
	_, err = node.NodeUnpublishVolume(ctx, &csi.NodeUnpublishVolumeRequest{VolumeId: "pv-1", TargetPath: "/t"})
	report(err == nil, "NodeUnpublishVolume", err)
	s, err := node.NodeGetVolumeStats(ctx, &csi.NodeGetVolumeStatsRequest{VolumeId: "pv-1", VolumePath: "/t"})
	report(err == nil && len(s.Usage) == 2 && s.Usage[0].Total == 100 && s.Usage[1].Unit == csi.VolumeUsage_INODES &&
		s.VolumeCondition.Abnormal, "NodeGetVolumeStats", s, err)
	_, err = node.NodeGetVolumeStats(ctx, &csi.NodeGetVolumeStatsRequest{VolumeId: "unknown", VolumePath: "/t"})
	report(status.Code(err) == codes.NotFound, "an unknown volume is NotFound", err)
	_, err = node.NodePublishVolume(ctx, publish("umlaut"))
	report(status.Code(err) == codes.Aborted && status.Convert(err).Message() == "no such dir: \"ä\n\" 100%",
		"a message of any characters", err)
	_, err = node.NodePublishVolume(ctx, &csi.NodePublishVolumeRequest{})
	report(status.Code(err) == codes.InvalidArgument && strings.Contains(err.Error(), "volume_id"),
		"an empty request is InvalidArgument", err)
	_, err = node.NodeStageVolume(ctx, &csi.NodeStageVolumeRequest{})
	report(status.Code(err) == codes.Unimplemented, "NodeStageVolume is Unimplemented", err)
	_, err = csi.NewControllerClient(c).CreateVolume(ctx, &csi.CreateVolumeRequest{})
	report(status.Code(err) == codes.Unimplemented, "the Controller is Unimplemented", err)
	big := publish("pv-big")
	big.VolumeContext["big"] = strings.Repeat("x", 3<<20)
	_, err = node.NodePublishVolume(ctx, big)
	report(err == nil, "three megabytes of attributes", err)
	big.VolumeContext["big"] = strings.Repeat("x", 5<<20)
	_, err = node.NodePublishVolume(ctx, big)
	report(status.Code(err) == codes.ResourceExhausted, "five are ResourceExhausted", err)
	_, err = node.NodePublishVolume(ctx, publish("pv-1"))
	report(err == nil, "and the connection lives on", err)
}

func deadlines(path string) {
	c := dialCSI(path)
	defer c.Close()
	node := csi.NewNodeClient(c)
	ctx, cancel := after(200 * time.Millisecond)
	_, err := node.NodePublishVolume(ctx, publish("hold"))
	cancel()
	report(status.Code(err) == codes.DeadlineExceeded, "a deadline", err)
	ctx, cancel = context.WithCancel(context.Background())
	go func() { time.Sleep(200 * time.Millisecond); cancel() }()
	_, err = node.NodePublishVolume(ctx, publish("hold"))
	report(status.Code(err) == codes.Canceled, "a cancel", err)
}

func parallel(path, name string, workers, calls int, shared bool) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	conn := dialCSI(path)
	defer conn.Close()
	for w := 0; w < workers; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < calls; i++ {
				c := conn
				if !shared {
					c = dialCSI(path)
				}
				ctx, cancel := after(60 * time.Second)
				_, err := csi.NewNodeClient(c).NodePublishVolume(ctx, publish(fmt.Sprintf("pv-%d", i)))
				cancel()
				if !shared {
					c.Close()
				}
				if err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		}()
	}
	wg.Wait()
	report(first == nil, name, first)
}

func register(path, endpoint string) {
	c := dialRegistration(path)
	defer c.Close()
	ctx, cancel := after(20 * time.Second)
	defer cancel()
	client := registration.NewRegistrationClient(c)
	info, err := client.GetInfo(ctx, &registration.InfoRequest{})
	report(err == nil && info.Type == "CSIPlugin" && info.Name == "nfs.berth.dev" && info.Endpoint == endpoint &&
		len(info.SupportedVersions) == 1 && info.SupportedVersions[0] == "1.0.0", "GetInfo", info, err)
	_, err = client.NotifyRegistrationStatus(ctx, &registration.RegistrationStatus{PluginRegistered: true})
	report(err == nil, "NotifyRegistrationStatus", err)
	_, err = client.NotifyRegistrationStatus(ctx, &registration.RegistrationStatus{Error: "RegisterPlugin error"})
	report(err == nil, "NotifyRegistrationStatus of a failure", err)
}

func main() {
	register(os.Args[2], os.Args[1])
	identity(os.Args[1])
	volumes(os.Args[1])
	deadlines(os.Args[1])
	parallel(os.Args[1], "2,000 calls, 200 at once on one connection", 200, 10, true)
	parallel(os.Args[1], "500 calls, a connection for each, 50 at once", 50, 10, false)
}
