// Command godefaults prints pod templates beside what the API server makes of them in a ReplicaSet, as data for the
// crate `crds`: `go run . > ../default-vectors.jsonl`. It is a module of its own because it needs the API server's code.
package main

import (
	"encoding/json"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/kubernetes/pkg/apis/apps"
	v1 "k8s.io/kubernetes/pkg/apis/apps/v1"
)

// templates use every field that has a default, written and unwritten.
var templates = []string{
	`{"spec":{"containers":[{"name":"a","image":"nginx"}]}}`,
	`{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"a","image":"nginx:latest"},{"name":"b","image":"registry:5000/x/nginx"},{"name":"c","image":"nginx:1"},{"name":"d","image":"nginx@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},{"name":"e","image":"nginx:latest@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},{"name":"f","image":"nginx","imagePullPolicy":"Never"},{"name":"g","image":""}]}}`,
	`{"spec":{"serviceAccountName":"web","containers":[{"name":"a","image":"x:1"}]}}`,
	`{"spec":{"serviceAccount":"old","containers":[{"name":"a","image":"x:1"}]}}`,
	`{"spec":{"hostNetwork":true,"hostPID":true,"containers":[{"name":"a","image":"x:1","ports":[{"containerPort":80},{"containerPort":53,"protocol":"UDP","hostPort":5353}]}]}}`,
	`{"spec":{"containers":[{"name":"a","image":"x:1","resources":{"limits":{"cpu":"1","memory":"1.5Gi"}}},{"name":"b","image":"x:1","resources":{"requests":{"cpu":"100u"},"limits":{"cpu":2}}}]}}`,
	`{"spec":{"containers":[{"name":"a","image":"x:1","livenessProbe":{"httpGet":{"port":80}},"readinessProbe":{"tcpSocket":{"port":"http"},"periodSeconds":3},"startupProbe":{"grpc":{"port":9}},"lifecycle":{"preStop":{"httpGet":{"port":1,"path":"/bye"}},"postStart":{"exec":{"command":["true"]}}}}]}}`,
	`{"spec":{"initContainers":[{"name":"i","image":"busybox","restartPolicy":"Always","livenessProbe":{"exec":{"command":["x"]}}}],"ephemeralContainers":[{"name":"e","image":"busybox","ports":[{"containerPort":1}]}],"containers":[{"name":"a","image":"x:1"}]}}`,
	`{"spec":{"volumes":[{"name":"a"},{"name":"b","emptyDir":{}},{"name":"c","secret":{"secretName":"s"}},{"name":"d","configMap":{"name":"c","defaultMode":256}},{"name":"e","hostPath":{"path":"/x"}},{"name":"f","downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels"}}]}},{"name":"g","projected":{"sources":[{"serviceAccountToken":{"path":"t"}},{"downwardAPI":{"items":[{"path":"n","fieldRef":{"fieldPath":"metadata.name"}}]}},{"configMap":{"name":"x"}}]}},{"name":"h","hostPath":{"path":"/y","type":"Directory"}}],"containers":[{"name":"a","image":"x:1"}]}}`,
	`{"spec":{"volumes":[{"name":"a","iscsi":{"targetPortal":"p","iqn":"i","lun":0}},{"name":"b","rbd":{"monitors":["m"],"image":"i"}},{"name":"c","azureDisk":{"diskName":"d","diskURI":"u"}},{"name":"d","scaleIO":{"gateway":"g","system":"s","secretRef":{"name":"x"}}},{"name":"e","ephemeral":{"volumeClaimTemplate":{"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}}},{"name":"f","image":{"reference":"quay.io/a/b"}},{"name":"g","csi":{"driver":"d"}},{"name":"h","nfs":{"server":"s","path":"/"}},{"name":"i","persistentVolumeClaim":{"claimName":"c"}}],"containers":[{"name":"a","image":"x:1"}]}}`,
	`{"spec":{"containers":[{"name":"a","image":"x:1","env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},{"name":"C","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},{"name":"D","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}},{"name":"E","valueFrom":{"fileKeyRef":{"volumeName":"v","path":"p","key":"k"}}}],"envFrom":[{"configMapRef":{"name":"c"}}]}]}}`,
	`{"spec":{"dnsPolicy":"Default","restartPolicy":"Always","schedulerName":"mine","terminationGracePeriodSeconds":0,"securityContext":{"runAsUser":999,"fsGroup":1},"automountServiceAccountToken":false,"enableServiceLinks":false,"shareProcessNamespace":true,"containers":[{"name":"a","image":"x:1","terminationMessagePath":"/t","terminationMessagePolicy":"FallbackToLogsOnError","securityContext":{"privileged":false,"capabilities":{"drop":["ALL"]}}}]}}`,
	`{"metadata":{"annotations":{"x":"y"}},"spec":{"nodeSelector":{"a":"b"},"tolerations":[{"key":"k","operator":"Exists"}],"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"a":"b"}}}}]}},"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway","labelSelector":{"matchLabels":{"a":"b"}}}],"imagePullSecrets":[{"name":"p"}],"hostAliases":[{"ip":"1.2.3.4","hostnames":["x"]}],"readinessGates":[{"conditionType":"x/y"}],"overhead":{"cpu":"0.25"},"containers":[{"name":"a","image":"x:1"}]}}`,
	`{"spec":{"resources":{"limits":{"cpu":"2","memory":"1Gi"}},"containers":[{"name":"a","image":"x:1","resizePolicy":[{"resourceName":"cpu","restartPolicy":"NotRequired"}]}]}}`,
}

type pair struct {
	Written   json.RawMessage `json:"written"`
	Defaulted any             `json:"defaulted"`
}

func main() {
	encoder := json.NewEncoder(os.Stdout)
	for _, text := range templates {
		var rs appsv1.ReplicaSet
		if err := json.Unmarshal([]byte(text), &rs.Spec.Template); err != nil {
			panic(err)
		}
		v1.SetObjectDefaults_ReplicaSet(&rs)
		// The API server keeps its internal type: the way there and back fills deprecated twins.
		var internal apps.ReplicaSet
		if err := v1.Convert_v1_ReplicaSet_To_apps_ReplicaSet(&rs, &internal, nil); err != nil {
			panic(err)
		}
		var back appsv1.ReplicaSet
		if err := v1.Convert_apps_ReplicaSet_To_v1_ReplicaSet(&internal, &back, nil); err != nil {
			panic(err)
		}
		if err := encoder.Encode(pair{Written: json.RawMessage(text), Defaulted: back.Spec.Template}); err != nil {
			panic(err)
		}
	}
}
