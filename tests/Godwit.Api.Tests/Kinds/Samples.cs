using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Kinds;

/// <summary>Of each kind an object as it is in use, and one with nothing that could be left out: what tables must print well.</summary>
internal static class Samples
{
    /// <summary>How a kind is called here: by its kind, and by its version too where that is not the stored one.</summary>
    public static string KeyOf(ResourceDefinition kind) => kind.Conversion is null ? kind.Kind : $"{kind.Kind} {kind.Version}";

    public static IReadOnlyDictionary<string, string[]> ByKind { get; } = new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        ["Namespace"] = ["""{"metadata":{"name":"team"},"status":{"phase":"Active"}}"""],
        ["Node"] =
        [
            """
            {"metadata":{"name":"n1","labels":{"node-role.kubernetes.io/control-plane":""}},"spec":{"unschedulable":true},
            "status":{"conditions":[{"type":"Ready","status":"True"}],"addresses":[{"type":"InternalIP","address":"192.168.77.1"}],
            "nodeInfo":{"kubeletVersion":"v1.32.0+godwit","osImage":"Debian GNU/Linux 12","kernelVersion":"6.1.0","containerRuntimeVersion":"godwit://0.1"}}}
            """,
            """{"metadata":{"name":"n2"}}""",
        ],
        ["Event"] =
        [
            """
            {"metadata":{"name":"v.1"},"involvedObject":{"kind":"VirtualMachineInstance","name":"v","fieldPath":"spec.domain"},"reason":"Started","message":"The guest runs.\n",
            "type":"Normal","count":3,"firstTimestamp":"2026-01-31T09:00:00Z","lastTimestamp":"2026-01-31T11:59:00Z","source":{"component":"agent","host":"n1"}}
            """,
            """{"metadata":{"name":"v.2"},"involvedObject":{"kind":"Node","name":"n1"},"eventTime":"2026-01-31T11:00:00.000000Z"}""",
        ],
        ["Event v1"] =
        [
            """
            {"metadata":{"name":"v.3"},"regarding":{"kind":"Pod","name":"web","fieldPath":"spec.containers{a}"},"reason":"Started","note":"It runs.\n","action":"Starting",
            "type":"Normal","eventTime":"2026-01-31T09:00:00.000000Z","series":{"count":4,"lastObservedTime":"2026-01-31T11:59:00.000000Z"},"reportingController":"example.org/agent","reportingInstance":"n1"}
            """,
            """{"metadata":{"name":"v.2"},"regarding":{"kind":"Node","name":"n1"},"deprecatedLastTimestamp":"2026-01-31T11:00:00Z","deprecatedCount":2,"deprecatedSource":{"component":"agent","host":"n1"}}""",
        ],
        ["ConfigMap"] = ["""{"metadata":{"name":"c"},"data":{"a":"1","b":"2"},"binaryData":{"c":"AA=="}}""", """{"metadata":{"name":"empty"}}"""],
        ["Secret"] = ["""{"metadata":{"name":"s"},"type":"Opaque","data":{"a":"MQ=="}}"""],
        ["Pod"] =
        [
            """
            {"metadata":{"name":"web"},"spec":{"nodeName":"n1","containers":[{"name":"a"},{"name":"b"}],"initContainers":[{"name":"proxy","restartPolicy":"Always"}]},
            "status":{"phase":"Running","podIP":"10.0.0.9","conditions":[{"type":"Ready","status":"False"}],
            "initContainerStatuses":[{"name":"proxy","ready":true,"started":true,"state":{"running":{}}}],
            "containerStatuses":[{"name":"a","ready":true,"restartCount":2,"state":{"running":{}},"lastState":{"terminated":{"exitCode":1,"finishedAt":"2026-01-31T11:55:00Z"}}},
            {"name":"b","ready":false,"restartCount":0,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}}
            """,
            """
            {"metadata":{"name":"job"},"spec":{"containers":[{"name":"a"}]},
            "status":{"phase":"Succeeded","containerStatuses":[{"name":"a","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]}}
            """,
            """
            {"metadata":{"name":"start"},"spec":{"nodeName":"n1","initContainers":[{"name":"i"},{"name":"j"}],"containers":[{"name":"a"}]},
            "status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}},{"name":"j","state":{"running":{}}}],"containerStatuses":[{"name":"a","state":{"waiting":{"reason":"PodInitializing"}}}]}}
            """,
            """{"metadata":{"name":"going","deletionTimestamp":"2026-01-31T12:00:00Z"},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running"}}""",
            """{"metadata":{"name":"new"},"status":{"phase":"Pending"}}""",
        ],
        ["PersistentVolume"] =
        [
            """
            {"metadata":{"name":"pvc-1"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteMany","ReadWriteOnce"],"claimRef":{"namespace":"team","name":"data"},"persistentVolumeReclaimPolicy":"Delete",
            "storageClassName":"local","volumeMode":"Filesystem","local":{"path":"/data/pvc-1"}},"status":{"phase":"Bound"}}
            """,
            """{"metadata":{"name":"kept"},"spec":{"capacity":{"storage":"5Gi"},"accessModes":["ReadWriteOncePod"],"persistentVolumeReclaimPolicy":"Delete"},"status":{"phase":"Failed","reason":"NodeGone"}}""",
            """{"metadata":{"name":"going","deletionTimestamp":"2026-01-31T12:00:00Z"},"status":{"phase":"Released"}}""",
        ],
        ["PersistentVolumeClaim"] =
        [
            """
            {"metadata":{"name":"data"},"spec":{"volumeName":"pvc-1","storageClassName":"local","volumeMode":"Filesystem","resources":{"requests":{"storage":"1Gi"}}},
            "status":{"phase":"Bound","accessModes":["ReadOnlyMany","ReadWriteOnce"],"capacity":{"storage":"2Gi"}}}
            """,
            """{"metadata":{"name":"open"},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"local","resources":{"requests":{"storage":"1Gi"}}},"status":{"phase":"Pending"}}""",
            """{"metadata":{"name":"going","deletionTimestamp":"2026-01-31T12:00:00Z"},"spec":{"volumeName":"pvc-2"},"status":{"phase":"Lost"}}""",
        ],
        ["StorageClass"] =
        [
            """
            {"metadata":{"name":"local","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},"provisioner":"godwit.dev/local","reclaimPolicy":"Delete",
            "volumeBindingMode":"WaitForFirstConsumer","allowVolumeExpansion":true}
            """,
            """{"metadata":{"name":"shared"},"provisioner":"kubernetes.io/no-provisioner","reclaimPolicy":"Retain","volumeBindingMode":"Immediate"}""",
        ],
        ["ServiceAccount"] = ["""{"metadata":{"name":"default"}}"""],
        ["NodeMetrics"] = ["""{"metadata":{"name":"n1"},"timestamp":"2026-01-31T11:59:50Z","window":"10.004s","usage":{"cpu":"251400000n","memory":"2097152Ki"}}""", """{"metadata":{"name":"n2"}}"""],
        ["PodMetrics"] =
        [
            """
            {"metadata":{"name":"web"},"timestamp":"2026-01-31T11:59:50Z","window":"10s",
            "containers":[{"name":"a","usage":{"cpu":"1","memory":"64Mi"}},{"name":"b","usage":{"cpu":"500u","memory":"1Mi"}}]}
            """,
        ],
        ["ResourceQuota"] =
        [
            """
            {"metadata":{"name":"compute","creationTimestamp":"2026-01-31T11:00:00Z"},"spec":{"hard":{"pods":"10","limits.cpu":"4","requests.memory":"1Gi"}},
            "status":{"hard":{"pods":"10","limits.cpu":"4","requests.memory":"1Gi"},"used":{"pods":"2","limits.cpu":"500m","requests.memory":"64Mi"}}}
            """,
            """{"metadata":{"name":"new"}}""",
        ],
        ["LimitRange"] = ["""{"metadata":{"name":"bounds","creationTimestamp":"2026-01-31T11:00:00Z"},"spec":{"limits":[{"type":"Container","max":{"cpu":"1"}}]}}"""],
        ["Service"] =
        [
            """{"metadata":{"name":"web"},"spec":{"type":"NodePort","clusterIP":"10.96.0.9","selector":{"b":"2","a":"1"},"ports":[{"name":"http","port":80,"nodePort":30080,"protocol":"TCP"},{"name":"dns","port":53,"protocol":"UDP"}]}}""",
            """{"metadata":{"name":"out"},"spec":{"type":"ExternalName","externalName":"example.com"}}""",
            """{"metadata":{"name":"ball"},"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.10","ports":[{"port":80}]}}""",
            """{"metadata":{"name":"new"}}""",
        ],
        ["Endpoints"] =
        [
            """{"metadata":{"name":"web"},"subsets":[{"addresses":[{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}],"notReadyAddresses":[{"ip":"10.0.0.3"}],"ports":[{"port":80},{"port":443}]}]}""",
            """{"metadata":{"name":"none"}}""",
        ],
        ["EndpointSlice"] =
        [
            """{"metadata":{"name":"web-x"},"addressType":"IPv4","ports":[{"port":80}],"endpoints":[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"]},{"addresses":["10.0.0.3"]},{"addresses":["10.0.0.4"]}]}""",
            """{"metadata":{"name":"new"},"addressType":"IPv4"}""",
        ],
        ["Deployment"] =
        [
            """{"metadata":{"name":"web"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"},"matchExpressions":[{"key":"tier","operator":"In","values":["a","b"]}]},"template":{"spec":{"containers":[{"name":"web","image":"nginx:1.27"},{"name":"log","image":"busybox"}]}}},"status":{"replicas":4,"readyReplicas":2,"updatedReplicas":1,"availableReplicas":2}}""",
            """{"metadata":{"name":"new"}}""",
        ],
        ["ReplicaSet"] = ["""{"metadata":{"name":"web-1"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"spec":{"containers":[{"name":"web","image":"nginx:1.27"},{"name":"log","image":"busybox"}]}}},"status":{"replicas":3,"readyReplicas":2}}""", """{"metadata":{"name":"new"}}"""],
        ["ReplicationController"] = ["""{"metadata":{"name":"old"},"spec":{"replicas":1,"selector":{"app":"old"},"template":{"spec":{"containers":[{"name":"web","image":"nginx:1.27"},{"name":"log","image":"busybox"}]}}},"status":{"replicas":1,"readyReplicas":1}}""", """{"metadata":{"name":"new"}}"""],
        ["StatefulSet"] = ["""{"metadata":{"name":"db"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"db"}},"template":{"spec":{"containers":[{"name":"web","image":"nginx:1.27"},{"name":"log","image":"busybox"}]}}},"status":{"readyReplicas":1}}""", """{"metadata":{"name":"new"}}"""],
        ["DaemonSet"] =
        [
            """{"metadata":{"name":"log"},"spec":{"selector":{"matchLabels":{"app":"log"}},"template":{"spec":{"nodeSelector":{"disk":"ssd"},"containers":[{"name":"log","image":"busybox"}]}}},"status":{"desiredNumberScheduled":3,"currentNumberScheduled":3,"numberReady":2,"updatedNumberScheduled":3,"numberAvailable":2}}""",
            """{"metadata":{"name":"new"}}""",
        ],
        ["ControllerRevision"] = ["""{"metadata":{"name":"db-1","ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"db","uid":"u","controller":true}]},"revision":2}""", """{"metadata":{"name":"new"},"revision":1}"""],
        ["Job"] =
        [
            """{"metadata":{"name":"pi"},"spec":{"completions":3,"parallelism":2,"selector":{"matchLabels":{"a":"b"}},"template":{"spec":{"containers":[{"name":"web","image":"nginx:1.27"},{"name":"log","image":"busybox"}]}}},"status":{"succeeded":3,"startTime":"2026-01-31T11:00:00Z","completionTime":"2026-01-31T11:01:05Z","conditions":[{"type":"Complete","status":"True"}]}}""",
            """{"metadata":{"name":"work"},"spec":{"parallelism":2},"status":{"startTime":"2026-01-31T11:59:00Z","active":2}}""",
            """{"metadata":{"name":"late"},"spec":{"completions":1},"status":{"conditions":[{"type":"Failed","status":"True"}]}}""",
            """{"metadata":{"name":"new"}}""",
        ],
        ["CronJob"] =
        [
            """{"metadata":{"name":"night"},"spec":{"schedule":"0 3 * * *","timeZone":"Europe/Oslo","suspend":false,"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:1.27"},{"name":"log","image":"busybox"}]}}}}},"status":{"active":[{"name":"night-1"}],"lastScheduleTime":"2026-01-31T03:00:00Z"}}""",
            """{"metadata":{"name":"new"},"spec":{"schedule":"@daily","suspend":true}}""",
        ],
        ["HorizontalPodAutoscaler"] =
        [
            """
            {"metadata":{"name":"web"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"minReplicas":1,"maxReplicas":10,
            "metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}},{"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"64Mi"}}}]},
            "status":{"currentReplicas":2,"desiredReplicas":2,"currentMetrics":[{"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":12,"averageValue":"120m"}}},{"type":"Resource","resource":{"name":"memory","current":{"averageValue":"32Mi"}}}]}}
            """,
            """
            {"metadata":{"name":"many"},"spec":{"scaleTargetRef":{"kind":"StatefulSet","name":"db"},"maxReplicas":3,"metrics":[
            {"type":"ContainerResource","containerResource":{"name":"cpu","container":"main","target":{"type":"Utilization","averageUtilization":50}}},
            {"type":"Pods","pods":{"metric":{"name":"requests"},"target":{"type":"AverageValue","averageValue":"10"}}},{"type":"External","external":{"metric":{"name":"queue"},"target":{"type":"Value","value":"30"}}}]}}
            """,
            """{"metadata":{"name":"new"}}""",
        ],
        ["HorizontalPodAutoscaler v1"] =
        [
            """
            {"metadata":{"name":"web"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"web"},"minReplicas":2,"maxReplicas":10,"targetCPUUtilizationPercentage":80},
            "status":{"currentReplicas":2,"desiredReplicas":2,"currentCPUUtilizationPercentage":12}}
            """,
        ],
        ["PodDisruptionBudget"] = ["""{"metadata":{"name":"web"},"spec":{"minAvailable":2},"status":{"disruptionsAllowed":1}}""", """{"metadata":{"name":"half"},"spec":{"maxUnavailable":"50%"}}"""],
        ["Lease"] = ["""{"metadata":{"name":"n1"},"spec":{"holderIdentity":"n1"}}""", """{"metadata":{"name":"free"}}"""],
        ["CertificateSigningRequest"] =
        [
            """
            {"metadata":{"name":"join"},"spec":{"signerName":"kubernetes.io/kube-apiserver-client-kubelet","username":"system:bootstrap:godwit","expirationSeconds":86400},
            "status":{"conditions":[{"type":"Approved","status":"True"}],"certificate":"QQ=="}}
            """,
            """{"metadata":{"name":"new"},"spec":{"signerName":"x"}}""",
        ],
        ["VirtualMachine"] = ["""{"metadata":{"name":"v"},"status":{"printableStatus":"Running","conditions":[{"type":"Ready","status":"True"}]}}""", """{"metadata":{"name":"new"}}"""],
        ["VirtualMachineInstance"] =
        [
            """
            {"metadata":{"name":"v"},"status":{"phase":"Running","nodeName":"n1","interfaces":[{"name":"default","ipAddress":"10.0.0.7"}],
            "conditions":[{"type":"Ready","status":"True"},{"type":"LiveMigratable","status":"True"},{"type":"Paused","status":"False"}]}}
            """,
            """{"metadata":{"name":"new"}}""",
        ],
        ["VirtualMachineInstanceMigration"] =
        [
            """
            {"metadata":{"name":"m"},"spec":{"vmiName":"v"},"status":{"phase":"Running","migrationState":{"sourceNode":"n1","targetNode":"n2"},"forecast":{"mode":"precopy"},
            "progress":{"percent":40},"measurement":{"downtimeMs":83,"networkDowntimeMs":222}}}
            """,
            """{"metadata":{"name":"new"},"spec":{"vmiName":"v"}}""",
        ],
        ["PriorityClass"] = ["""{"metadata":{"name":"high"},"value":1000,"globalDefault":true,"preemptionPolicy":"Never"}""", """{"metadata":{"name":"new"},"value":0}"""],
        ["Role"] = ["""{"metadata":{"name":"reader"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}"""],
        ["ClusterRole"] = ["""{"metadata":{"name":"system:reader"},"rules":[{"verbs":["get"],"nonResourceURLs":["/metrics"]}]}"""],
        ["RoleBinding"] =
        [
            """
            {"metadata":{"name":"readers"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"User","name":"ann"},{"kind":"User","name":"bob"},{"kind":"Group","name":"staff"},
            {"kind":"ServiceAccount","name":"robot","namespace":"tools"}]}
            """,
            """{"metadata":{"name":"nobody"},"roleRef":{"kind":"Role","name":"reader"}}""",
        ],
        ["ClusterRoleBinding"] = ["""{"metadata":{"name":"admins"},"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"Group","name":"admins"}]}"""],
        ["MigrationPolicy"] = ["""{"metadata":{"name":"gentle"},"spec":{"allowAutoConverge":true}}"""],
        ["Forecast"] =
        [
            """
            {"metadata":{"name":"f"},"spec":{"vmiName":"v","targetNode":"n2"},"status":{"phase":"Completed","targetNode":"n2","recommendedMode":"precopy",
            "modes":[{"mode":"precopy","forecast":{"totalMs":{"low":2000,"high":4300},"downtimeMs":{"low":41,"high":150}}}]}}
            """,
            """{"metadata":{"name":"new"},"spec":{"vmiName":"v"}}""",
        ],
        ["GroupMigration"] =
        [
            """
            {"metadata":{"name":"g"},"spec":{"selector":{"nodeName":"n1"},"keepHome":true},"status":{"phase":"Running","strategy":"serial","endLatestTimestamp":"2026-01-01T00:00:00Z",
            "members":[{"namespace":"default","name":"a","phase":"Moved"},{"namespace":"default","name":"b","phase":"Waiting"}]}}
            """,
            """{"metadata":{"name":"new"},"spec":{"members":[{"namespace":"default","name":"a"}]}}""",
        ],
    };
}
