using System.Text.Json.Nodes;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>A program in a pod that reaches the server as client libraries do: by its variables, its token and the authority that lies beside it.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
public sealed class ServerFromPodTests
{
    private const string Account = "/var/run/secrets/kubernetes.io/serviceaccount";

    [Fact]
    public async Task A_pod_talks_to_the_server_with_its_own_token_by_address_and_by_name_and_may_do_what_its_account_may()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        BoxImage.WriteTo(cluster.MakeImages(), "/usr/bin/curl");
        await cluster.UpAsync();
        (await cluster.KubectlAsync("create", "configmap", "greeting", "--from-literal=word=hello")).MustSucceed();
        (await cluster.KubectlAsync("run", "box", "--image", BoxImage.Name, "--", "sleep", "100000")).MustSucceed();
        (await cluster.KubectlAsync("wait", "pod/box", "--for=condition=Ready", "--timeout=120s")).MustSucceed();

        await ReachesAsync(cluster, "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT");
        await ReachesAsync(cluster, "https://kubernetes.default.svc");
        await ReachesAsync(cluster, "https://kubernetes");
        var service = (await cluster.KubectlAsync("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}")).MustSucceed().Output;
        Assert.Equal(service + "\n", (await InPodAsync(cluster, "echo $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT_HTTPS")).MustSucceed().Output);

        // The account has no rights until it is given some.
        Assert.Equal(403, await AskAsync(cluster, "https://kubernetes.default.svc", "/api/v1/namespaces/default/configmaps/greeting"));
        (await cluster.KubectlAsync("create", "rolebinding", "reader", "--clusterrole=view", "--serviceaccount=default:default")).MustSucceed();
        await Eventually.IsTrueAsync("the account may read", HostCluster.Bound, async () => await AskAsync(cluster, "https://kubernetes.default.svc", "/api/v1/namespaces/default/configmaps/greeting") == 200);

        // And the same once the whole program has been started anew.
        (await cluster.GodwitAsync("down")).MustSucceed();
        await cluster.UpAsync();
        (await cluster.KubectlAsync("wait", "pod/box", "--for=condition=Ready", "--timeout=120s")).MustSucceed();
        await Eventually.IsTrueAsync("the pod reaches it again", HostCluster.Bound, async () => await AskAsync(cluster, "https://kubernetes.default.svc", "/api/v1/namespaces/default/configmaps/greeting") == 200);
    }

    /// <summary>Who it is there: its account, by a connection whose certificate it has verified.</summary>
    private static async Task ReachesAsync(HostCluster cluster, string server)
    {
        var answer = await InPodAsync(cluster, $$"""curl -sS --cacert {{Account}}/ca.crt -H "Authorization: Bearer $(cat {{Account}}/token)" -H "Content-Type: application/json" -d '{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}' {{server}}/apis/authentication.k8s.io/v1/selfsubjectreviews""");
        Assert.Equal("system:serviceaccount:default:default", JsonNode.Parse(answer.MustSucceed().Output)!["status"]!["userInfo"]!["username"]!.GetValue<string>());
    }

    private static async Task<int> AskAsync(HostCluster cluster, string server, string path)
    {
        var answer = await InPodAsync(cluster, $$"""curl -s -o /dev/null -w '%{http_code}' --cacert {{Account}}/ca.crt -H "Authorization: Bearer $(cat {{Account}}/token)" {{server}}{{path}}""");
        return int.TryParse(answer.Output, out var code) ? code : 0;
    }

    private static Task<CommandResult> InPodAsync(HostCluster cluster, string script) => cluster.KubectlAsync("exec", "box", "--", "sh", "-c", script);
}
