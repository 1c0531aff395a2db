using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.ApiServer.Auditing;
using Godwit.Store;
using Godwit.Store.Caching;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.ApiServer.Tests;

/// <summary>Who asked for what, and what came of it, is written down; what was said is not.</summary>
public sealed class AuditTests : IDisposable
{
    private const string Secret = """{"apiVersion":"v1","kind":"Secret","metadata":{"name":"keys"},"stringData":{"password":"open-sesame"}}""";

    private readonly string folder = Directory.CreateTempSubdirectory($"godwit-audit-{Environment.ProcessId}-").FullName;

    private string LogPath => Path.Combine(folder, "audit.log");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Changes_refusals_and_looks_at_secrets_are_written_down_without_what_was_said()
    {
        await using (var server = await StartAsync(AuditPolicy.Standard))
        {
            Assert.Equal(HttpStatusCode.Created, (await server.PostAsync("/api/v1/namespaces/default/secrets?fieldManager=hidden", Secret)).Code);
            await server.GetAsync("/api/v1/namespaces/default/secrets/keys");
            await server.GetAsync("/api/v1/namespaces/default/configmaps");
            Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Delete, "/api/v1/namespaces/default/secrets/keys", client: server.Client(certificateFile: null))).Code);
            Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Delete, "/api/v1/namespaces/default/secrets/keys", client: server.Client(certificateFile: null, "no-such-token"))).Code);
        }

        var events = ReadEvents();
        Assert.Equal(
            [
                ("create", "kubernetes-admin", 201, "allow"),
                ("get", "kubernetes-admin", 200, "allow"),
                ("delete", "system:anonymous", 401, "forbid"),
                ("delete", "system:anonymous", 401, null),
            ],
            events.Select(each => ((string)each["verb"]!, (string)each["user"]!["username"]!, (int)each["responseStatus"]!["code"]!, (string?)each["annotations"]?["authorization.k8s.io/decision"])));
        Assert.All(events, each => Assert.Equal(("Event", "audit.k8s.io/v1", "Metadata", "ResponseComplete"), ((string)each["kind"]!, (string)each["apiVersion"]!, (string)each["level"]!, (string)each["stage"]!)));
        Assert.Equal(("secrets", "default", "keys"), ((string)events[1]["objectRef"]!["resource"]!, (string)events[1]["objectRef"]!["namespace"]!, (string)events[1]["objectRef"]!["name"]!));
        var text = await File.ReadAllTextAsync(LogPath, TestServer.Stopping);
        Assert.All((string[])["sesame", "no-such-token", "hidden"], hidden => Assert.DoesNotContain(hidden, text, StringComparison.Ordinal));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(LogPath));
    }

    [Fact]
    public async Task Who_acts_as_somebody_else_is_written_down_with_whom()
    {
        await using (var server = await StartAsync(AuditPolicy.Standard))
        {
            using var request = new HttpRequestMessage(HttpMethod.Delete, "/api/v1/namespaces/default/configmaps/one") { Version = HttpVersion.Version20 };
            request.Headers.Add("Impersonate-User", "jane");
            using var response = await server.Admin.SendAsync(request, TestServer.Stopping);
            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        }

        var only = Assert.Single(ReadEvents());
        Assert.Equal(("kubernetes-admin", "jane"), ((string)only["user"]!["username"]!, (string)only["impersonatedUser"]!["username"]!));
        Assert.Equal((403, "forbid"), ((int)only["responseStatus"]!["code"]!, (string)only["annotations"]!["authorization.k8s.io/decision"]!));
    }

    [Fact]
    public async Task A_watch_is_written_down_when_it_begins_and_when_it_ends()
    {
        var policy = Parse("rules: [{level: Metadata, verbs: [watch], resources: [{group: '', resources: [configmaps]}]}]");
        await using (var server = await StartAsync(policy))
        {
            using var watch = await server.WatchAsync("/api/v1/namespaces/default/configmaps?watch=1");
            await Until(() => File.ReadAllText(LogPath).Contains("ResponseStarted", StringComparison.Ordinal));
        }

        Assert.Equal(["ResponseStarted", "ResponseComplete"], ReadEvents().Select(each => (string)each["stage"]!));
    }

    [Fact]
    public void The_first_rule_that_fits_decides()
    {
        var policy = Parse("""
            omitStages: [ResponseStarted]
            rules:
            - {level: None, users: [jane], resources: [{group: '', resources: ["pods/*"]}]}
            - {level: Metadata, userGroups: [system:authenticated], resources: [{group: '', resources: [pods, "*/exec"]}, {group: apps}]}
            - {level: Metadata, nonResourceURLs: ["/version", "/debug/*"]}
            - {level: None}
            - {level: Metadata}
            """);
        var (jane, joe) = (new Security.User("jane", ["system:authenticated"]), new Security.User("joe", ["system:authenticated"]));

        bool Records(Security.User user, string path, string stage = "ResponseComplete") => policy.Records(user, Requests.RequestInfo.Parse("GET", path, watching: false), stage);
        Assert.True(Records(jane, "/api/v1/namespaces/a/pods/one"));
        Assert.False(Records(jane, "/api/v1/namespaces/a/pods/one/exec"));
        Assert.True(Records(joe, "/api/v1/namespaces/a/pods/one/exec"));
        Assert.False(Records(joe, "/api/v1/namespaces/a/pods/one/exec", "ResponseStarted"));
        Assert.False(Records(joe, "/api/v1/namespaces/a/pods/one/log"));
        Assert.True(Records(joe, "/apis/apps/v1/deployments"));
        Assert.False(Records(Security.User.Anonymous, "/apis/apps/v1/deployments"));
        Assert.True(Records(Security.User.Anonymous, "/debug/pprof"));
        Assert.False(Records(Security.User.Anonymous, "/healthz"));
    }

    [Theory]
    [InlineData("{}", "apiVersion")]
    [InlineData("rules: [{level: Request}]", "rules[0].level: 'Request' would write bodies down")]
    [InlineData("rules: [{level: Metadata, user: [a]}]", "rules[0].user: there is no such field")]
    [InlineData("rules: [{level: None, verbs: get}]", "rules[0].verbs: it is no list")]
    [InlineData("rules: [{level: None, omitStages: [Later]}]", "rules[0].omitStages: each is one of")]
    [InlineData("rules: 5", "rules: a list of rules is needed")]
    [InlineData("rules: [", "YAML")]
    public void A_policy_that_is_none_is_refused_with_where(string text, string expected)
    {
        var whole = text == "{}" ? text : $"apiVersion: audit.k8s.io/v1\nkind: Policy\n{text}\n";

        Assert.Contains(expected, Assert.Throws<FormatException>(() => AuditPolicy.Parse(Encoding.UTF8.GetBytes(whole))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_are_put_aside_when_they_are_full_and_the_oldest_go()
    {
        await using (var log = new AuditLog(new() { Path = LogPath, FileBytesMax = 100, OlderFilesMax = 2 }, TimeProvider.System, NullLogger.Instance))
        {
            for (var i = 0; i < 10; i++)
            {
                await log.AddAsync(Encoding.ASCII.GetBytes($"{i}{new string('x', 38)}\n"));
            }
        }

        Assert.Equal(["audit.log", "audit.log.1", "audit.log.2"], Directory.GetFiles(folder).Select(Path.GetFileName).Order());
        Assert.Equal("89|67|45", string.Join('|', ((string[])["", ".1", ".2"]).Select(end => string.Concat(File.ReadLines(LogPath + end).Select(line => line[0])))));
    }

    [Fact]
    public async Task What_cannot_be_written_is_counted_and_the_next_is_written_when_there_is_a_place()
    {
        await using var log = new AuditLog(new() { Path = LogPath, FileBytesMax = 10, OlderFilesMax = 1 }, TimeProvider.System, NullLogger.Instance);
        await log.AddAsync("first-line\n"u8.ToArray());
        await Until(() => File.Exists(LogPath) && new FileInfo(LogPath).Length > 0);
        Directory.CreateDirectory(LogPath + ".1"); // Nothing can be put aside there.
        await log.AddAsync("lost\n"u8.ToArray());
        await Until(() => log.LostCount == 1);

        Directory.Delete(LogPath + ".1");
        await log.AddAsync("third\n"u8.ToArray());

        await Until(() => Read(LogPath) == "third\n");
        Assert.Equal(1, log.LostCount);
    }

    private static AuditPolicy Parse(string rules) => AuditPolicy.Parse(Encoding.UTF8.GetBytes($"apiVersion: audit.k8s.io/v1\nkind: Policy\n{rules}\n"));

    /// <summary>Nothing, while the file has been put aside and the next has not been made.</summary>
    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (FileNotFoundException)
        {
            return "";
        }
    }

    private static async Task Until(Func<bool> condition)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await look.WaitForNextTickAsync(bound.Token);
        }
    }

    private Task<TestServer> StartAsync(AuditPolicy policy) => TestServer.StartAsync(audit: new AuditLogOptions { Path = LogPath, Policy = policy });

    private List<JsonNode> ReadEvents() => [.. File.ReadLines(LogPath).Select(line => JsonNode.Parse(line)!)];
}
