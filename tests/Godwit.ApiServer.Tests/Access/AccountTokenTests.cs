using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Godwit.ApiServer.Security;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.ApiServer.Tests.Access;

public sealed class AccountTokenTests
{
    private const string Accounts = "/api/v1/namespaces/default/serviceaccounts";
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string TokenReviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    private const string WhoAmI = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    private const string Here = "https://kubernetes.default.svc.cluster.local";

    [Fact]
    public async Task A_token_is_its_accounts_with_the_accounts_rights_until_the_account_goes()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Accounts, """{"metadata":{"name":"robot"}}""");
        var (code, asked) = await server.PostAsync($"{Accounts}/robot/token", "{}");
        Assert.Equal(HttpStatusCode.Created, code);
        Assert.Equal((3600, Here), ((int)asked["spec"]!["expirationSeconds"]!, (string)asked["spec"]!["audiences"]![0]!));

        using var robot = server.Client(null, TokenOf(asked));
        var (_, me) = await server.SendAsync(HttpMethod.Post, WhoAmI, "{}", client: robot);
        var info = me["status"]!["userInfo"]!;
        Assert.Equal("system:serviceaccount:default:robot", (string)info["username"]!);
        Assert.Equal(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"], info["groups"]!.AsArray().Select(group => (string)group!));
        Assert.Equal(await UidAsync(server, $"{Accounts}/robot"), (string)info["uid"]!);
        Assert.StartsWith("JTI=", (string)info["extra"]!["authentication.kubernetes.io/credential-id"]![0]!, StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Get, Pods, client: robot)).Code);
        await server.PostAsync("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", """
            {"metadata":{"name":"robot"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"robot","namespace":"default"}]}
            """);
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Get, Pods, client: robot)).Code);

        await server.SendAsync(HttpMethod.Delete, $"{Accounts}/robot");
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Get, Pods, client: robot)).Code);
        await server.PostAsync(Accounts, """{"metadata":{"name":"robot"}}"""); // Another of the name.
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Get, Pods, client: robot)).Code);
    }

    [Theory]
    [InlineData("Secret", "/api/v1/namespaces/default/secrets", """{"metadata":{"name":"bound"}}""")]
    [InlineData("Pod", Pods, """{"metadata":{"name":"bound"},"spec":{"containers":[{"name":"c","image":"i"}]}}""")]
    public async Task A_bound_token_ends_with_what_it_is_bound_to(string kind, string path, string made)
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(path, made);
        var uid = await UidAsync(server, $"{path}/bound");
        var asked = $$"""{"spec":{"boundObjectRef":{"kind":"{{kind}}","apiVersion":"v1","name":"bound","uid":"{{uid}}"} } }""";
        var (_, answer) = await server.PostAsync($"{Accounts}/default/token", asked);
        using var bearer = server.Client(null, TokenOf(answer));
        var (_, me) = await server.SendAsync(HttpMethod.Post, WhoAmI, "{}", client: bearer);
        Assert.Equal(kind == "Pod" ? uid : null, (string?)me["status"]!["userInfo"]!["extra"]!["authentication.kubernetes.io/pod-uid"]?[0]);

        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"{Accounts}/default/token", asked.Replace(uid, "other", StringComparison.Ordinal))).Code);
        await server.SendAsync(HttpMethod.Delete, $"{path}/bound", """{"gracePeriodSeconds":0}""");
        Assert.Equal(HttpStatusCode.NotFound, (await server.PostAsync($"{Accounts}/default/token", asked)).Code);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Post, WhoAmI, "{}", client: bearer)).Code);
    }

    [Fact]
    public async Task A_token_ends_with_its_time_and_outlives_the_server()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var server = await TestServer.StartAsync(clock: clock);
        var (_, asked) = await server.PostAsync($"{Accounts}/default/token", """{"spec":{"expirationSeconds":600}}""");
        await server.RestartAsync();
        using var bearer = server.Client(null, TokenOf(asked));
        clock.Advance(TimeSpan.FromSeconds(590));
        Assert.Equal(HttpStatusCode.Created, (await server.SendAsync(HttpMethod.Post, WhoAmI, "{}", client: bearer)).Code);
        clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Post, WhoAmI, "{}", client: bearer)).Code);
    }

    [Fact]
    public async Task A_token_for_others_is_nobodys_here_and_a_review_says_whose_it_is_there()
    {
        await using var server = await TestServer.StartAsync();
        var (_, asked) = await server.PostAsync($"{Accounts}/default/token", """{"spec":{"audiences":["vault","other"]}}""");
        var token = TokenOf(asked);
        using var bearer = server.Client(null, token);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Post, WhoAmI, "{}", client: bearer)).Code);

        var (_, here) = await server.PostAsync(TokenReviews, $$"""{"spec":{"token":"{{token}}"} }""");
        Assert.False((bool?)here["status"]!["authenticated"] ?? false);
        var (_, there) = await server.PostAsync(TokenReviews, $$"""{"spec":{"token":"{{token}}","audiences":["vault","third"]} }""");
        Assert.True((bool)there["status"]!["authenticated"]!);
        Assert.Equal("system:serviceaccount:default:default", (string)there["status"]!["user"]!["username"]!);
        Assert.Equal("""["vault"]""", there["status"]!["audiences"]!.ToJsonString());
        Assert.DoesNotContain(token, there.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"spec":{"expirationSeconds":599}}""", "spec.expirationSeconds")]
    [InlineData("""{"spec":{"expirationSeconds":4294967297}}""", "spec.expirationSeconds")]
    [InlineData("""{"spec":{"audiences":[""]}}""", "spec.audiences")]
    [InlineData("""{"spec":{"boundObjectRef":{"kind":"Node","apiVersion":"v1","name":"a"}}}""", "spec.boundObjectRef.kind")]
    [InlineData("""{"spec":{"boundObjectRef":{"kind":"Pod","apiVersion":"v1"}}}""", "spec.boundObjectRef.name")]
    public async Task What_a_token_cannot_be_is_refused_by_its_path(string asked, string field)
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync($"{Accounts}/default/token", asked);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Equal(field, (string)status["details"]!["causes"]![0]!["field"]!);
    }

    [Fact]
    public async Task Tokens_are_given_to_who_may_make_them_and_not_in_a_dry_run()
    {
        await using var server = await TestServer.StartAsync();
        using var controllers = server.Client("controllers");
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Post, $"{Accounts}/default/token", "{}", client: controllers)).Code);
        var (code, dry) = await server.PostAsync($"{Accounts}/default/token?dryRun=All", "{}");
        Assert.Equal(HttpStatusCode.Created, code);
        Assert.Null(dry["status"]?["token"]);
        Assert.Equal(HttpStatusCode.NotFound, (await server.PostAsync($"{Accounts}/nobody/token", "{}")).Code);
    }

    [Fact]
    public async Task Every_namespace_has_an_account_and_the_authority_and_gets_them_back()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/api/v1/namespaces", """{"metadata":{"name":"new"}}""");
        foreach (var space in new[] { "default", "kube-system", "new" })
        {
            Assert.Equal(HttpStatusCode.OK, (await server.GetAsync($"/api/v1/namespaces/{space}/serviceaccounts/default")).Code);
            Assert.Equal(server.Host.AuthorityPem + "\n", (string)(await server.GetAsync($"/api/v1/namespaces/{space}/configmaps/kube-root-ca.crt")).Body["data"]!["ca.crt"]!);
        }

        await server.SendAsync(HttpMethod.Delete, "/api/v1/namespaces/new/serviceaccounts/default");
        await server.SendAsync(HttpMethod.Delete, "/api/v1/namespaces/new/configmaps/kube-root-ca.crt");
        await server.SendAsync(HttpMethod.Put, "/api/v1/namespaces/default/configmaps/kube-root-ca.crt", """{"metadata":{"name":"kube-root-ca.crt"},"data":{"ca.crt":"another"}}""");
        await UntilAsync(async () => (await server.GetAsync("/api/v1/namespaces/new/serviceaccounts/default")).Code == HttpStatusCode.OK
            && (await server.GetAsync("/api/v1/namespaces/new/configmaps/kube-root-ca.crt")).Code == HttpStatusCode.OK
            && (string?)(await server.GetAsync("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")).Body["data"]?["ca.crt"] == server.Host.AuthorityPem + "\n");

        await server.SendAsync(HttpMethod.Delete, "/api/v1/namespaces/new");
        await UntilAsync(async () => (await server.GetAsync("/api/v1/namespaces/new")).Code == HttpStatusCode.NotFound);
        Assert.Empty((await server.GetAsync("/api/v1/namespaces/new/configmaps")).Body["items"]!.AsArray());
    }

    [Fact]
    public void What_is_signed_is_read_and_nothing_else_is()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var otherKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signer = new AccountTokenSigner(key, TimeProvider.System);
        using var other = new AccountTokenSigner(otherKey, TimeProvider.System);
        var token = new AccountToken
        {
            Namespace = "ns",
            Account = new NamedUid("robot", "u"),
            Audiences = [Here],
            IssuedAt = TimeProvider.System.GetUtcNow(),
            ExpiresAt = TimeProvider.System.GetUtcNow().AddHours(1),
            Id = "id",
            Pod = new NamedUid("pod", "v"),
            Node = "node",
        };
        var text = signer.Sign(token);
        var read = signer.Read(text)!;
        Assert.Equal((token.Namespace, token.Account, token.Id, token.Pod, token.Secret, token.Node), (read.Namespace, read.Account, read.Id, read.Pod, read.Secret, read.Node));
        Assert.Null(other.Read(text));
        Assert.Null(signer.Read(other.Sign(token)));
        Assert.Null(signer.Read(signer.Sign(token with { ExpiresAt = TimeProvider.System.GetUtcNow().AddSeconds(-1) })));
        Assert.Null(signer.Read(signer.Sign(token with { IssuedAt = TimeProvider.System.GetUtcNow().AddHours(1) })));

        var parts = text.Split('.');
        var unsigned = Base64Url.EncodeToString(Encoding.UTF8.GetBytes("""{"alg":"none"}"""));
        Assert.Null(signer.Read($"{unsigned}.{parts[1]}."));
        Assert.Null(signer.Read($"{parts[0]}.{parts[1]}."));
        Assert.Null(signer.Read(new string('a', 20_000)));
        // Another letter anywhere in what is signed makes it nobody's.
        Gen.Int[0, text.LastIndexOf('.') - 1].Select(Gen.Char["abcABC012-_."]).Sample((at, letter) =>
            text[at] == letter || signer.Read(text[..at] + letter + text[(at + 1)..]) is null);
        Gen.String.Sample(garbage => signer.Read(garbage) is null && signer.Read($"{parts[0]}.{garbage}.{parts[2]}") is null);
    }

    private static string TokenOf(JsonObject answer) => (string)answer["status"]!["token"]!;

    private static async Task<string> UidAsync(TestServer server, string path) => (string)(await server.GetAsync(path)).Body["metadata"]!["uid"]!;

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!await isSo())
        {
            bound.Token.ThrowIfCancellationRequested();
        }
    }
}
