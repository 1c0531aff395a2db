using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Lets a new pod act as its service account: the account must be there; its pull secrets are the pod's that names none; and unless the pod
/// or else the account says <c>automountServiceAccountToken: false</c>, each container that has nothing in that place yet gets a token, the
/// authority's certificate and the namespace under <see cref="MountPath"/>, where programs look for them.
/// </summary>
internal sealed class AccountAdmission(IRevisionStore store, ServedResources resources)
{
    public const string MountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
    private const string VolumePrefix = "kube-api-access-";
    private const string SuffixLetters = "bcdfghjklmnpqrstvwxz2456789";
    private const int SuffixLength = 5;

    // An hour, and a little that tells such a token from one that somebody asked for.
    private const int TokenSeconds = 3607;

    private static readonly string[] ContainerFields = ["initContainers", "containers"];

    private readonly ServedResource? accounts = resources.Find("", "v1", ServiceAccount.Type.Plural);

    /// <exception cref="StatusException">403: the account is not there.</exception>
    public async Task ApplyAsync(WriteContext write, JsonObject pod)
    {
        if (accounts is null || write.Resource.Definition is not { Group: "", Plural: "pods" } || pod.ObjectAt("spec") is not { } spec)
        {
            return;
        }

        var name = spec.TextAt("serviceAccountName") ?? "";
        if (Names.CheckDnsSubdomain(name) is not null || await store.GetAsync(accounts.Key(write.Namespace, name), write.Stopping) is not { } item)
        {
            throw StatusException.Forbidden(write.Subject, $"error looking up service account {write.Namespace}/{name}: serviceaccount \"{name}\" not found");
        }

        var account = GodwitJson.FromNode<ServiceAccount>(accounts.Form.Decode(item.Value.Span, item.ModRevision));
        if (account.ImagePullSecrets.Count > 0 && spec.ArrayAt("imagePullSecrets") is not { Count: > 0 })
        {
            spec["imagePullSecrets"] = new JsonArray([.. account.ImagePullSecrets.Select(secret => new JsonObject { ["name"] = secret.Name })]);
        }

        if (JsonAccess.AsBoolean(spec["automountServiceAccountToken"]) ?? account.AutomountServiceAccountToken ?? true)
        {
            MountToken(spec);
        }
    }

    private static void MountToken(JsonObject spec)
    {
        var bare = ContainerFields.SelectMany(field => spec.ArrayAt(field) ?? []).OfType<JsonObject>()
            .Where(container => (container.ArrayAt("volumeMounts") ?? []).All(mount => mount.TextAt("mountPath") != MountPath)).ToList();
        if (bare.Count == 0)
        {
            return;
        }

        var volumes = spec.ArrayAt("volumes") ?? [];
        spec["volumes"] = volumes;
        var name = volumes.Select(volume => volume.TextAt("name") ?? "").FirstOrDefault(there => there.StartsWith(VolumePrefix, StringComparison.Ordinal));
        if (name is null)
        {
            name = VolumePrefix + RandomNumberGenerator.GetString(SuffixLetters, SuffixLength);
            volumes.Add((JsonNode)AccessVolume(name));
        }

        foreach (var container in bare)
        {
            var mounts = container.ArrayAt("volumeMounts") ?? [];
            container["volumeMounts"] = mounts;
            mounts.Add((JsonNode)new JsonObject { ["name"] = name, ["readOnly"] = true, ["mountPath"] = MountPath });
        }
    }

    private static JsonObject AccessVolume(string name) => new()
    {
        ["name"] = name,
        ["projected"] = new JsonObject
        {
            ["sources"] = new JsonArray(
                new JsonObject { ["serviceAccountToken"] = new JsonObject { ["expirationSeconds"] = TokenSeconds, ["path"] = "token" } },
                new JsonObject { ["configMap"] = new JsonObject { ["name"] = Serving.NamespaceFurnisher.AuthorityMap, ["items"] = new JsonArray(new JsonObject { ["key"] = "ca.crt", ["path"] = "ca.crt" }) } },
                new JsonObject { ["downwardAPI"] = new JsonObject { ["items"] = new JsonArray(new JsonObject { ["path"] = "namespace", ["fieldRef"] = new JsonObject { ["apiVersion"] = "v1", ["fieldPath"] = "metadata.namespace" } }) } }),
            ["defaultMode"] = 420, // 0644
        },
    };
}
