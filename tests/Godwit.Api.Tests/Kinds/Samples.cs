namespace Godwit.Api.Tests.Kinds;

/// <summary>Of each kind an object as it is in use, and one with nothing that could be left out: what tables must print well.</summary>
internal static class Samples
{
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
        ["ConfigMap"] = ["""{"metadata":{"name":"c"},"data":{"a":"1","b":"2"},"binaryData":{"c":"AA=="}}""", """{"metadata":{"name":"empty"}}"""],
        ["Secret"] = ["""{"metadata":{"name":"s"},"type":"Opaque","data":{"a":"MQ=="}}"""],
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
        ["MigrationPolicy"] = ["""{"metadata":{"name":"gentle"},"spec":{"allowAutoConverge":true}}"""],
        ["Forecast"] =
        [
            """
            {"metadata":{"name":"f"},"spec":{"vmiName":"v","targetNode":"n2"},"status":{"phase":"Completed","targetNode":"n2","recommendedMode":"precopy",
            "modes":[{"mode":"precopy","forecast":{"totalMs":{"low":2000,"high":4300},"downtimeMs":{"low":41,"high":150}}}]}}
            """,
            """{"metadata":{"name":"new"},"spec":{"vmiName":"v"}}""",
        ],
    };
}
