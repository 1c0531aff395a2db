using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Godwit.ApiServer.Tests;

/// <summary>
/// What clients are told when something is wrong, word for word: programs act on codes, reasons and causes, people read
/// the messages. Run with <c>GODWIT_UPDATE_GOLDEN=1</c> to write what is said now, and read the difference.
/// </summary>
public sealed partial class GoldenStatusTests
{
    private const string Settings = "/api/v1/namespaces/default/configmaps";
    private const string Guests = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly Sent[] Requests =
    [
        new("GET", Settings + "/none"),
        new("GET", "/apis/no.such.group/v1/things"),
        new("GET", Settings + "?labelSelector=a%3D%3D%3Db"),
        new("GET", Settings + "?fieldSelector=spec.x%3D1"),
        new("GET", Settings + "?limit=many"),
        new("GET", Settings + "?continue=nonsense"),
        new("GET", Settings + "?resourceVersion=99999999"),
        new("POST", Settings, """{"metadata":{"name":"there"}}"""),
        new("POST", Settings, "not json"),
        new("POST", Settings, "{}", "application/xml"),
        new("POST", Settings, """{"metadata":{}}"""),
        new("POST", Settings, """{"metadata":{"name":"A b"},"data":{"k":7}}"""),
        new("POST", Settings, """{"metadata":{"name":"../x","labels":{"-":"!"}}}"""),
        new("POST", Settings, """{"kind":"Secret","metadata":{"name":"a"}}"""),
        new("POST", "/api/v1/namespaces/nowhere/configmaps", """{"metadata":{"name":"a"}}"""),
        new("POST", Settings + "?fieldValidation=Strict", """{"metadata":{"name":"a"},"colour":"red","data":{"k":"1","k":"2"}}"""),
        new("POST", Guests, """{"metadata":{"name":"v"},"spec":{"domain":{"devices":{"gpus":[]},"memory":{"guest":"lots"},"cpu":{"cores":-1}}}}"""),
        new("PUT", Settings + "/there", """{"metadata":{"name":"there","resourceVersion":"1"}}"""),
        new("PUT", Settings + "/there", """{"metadata":{"name":"there","uid":"other"}}"""),
        new("PATCH", Settings + "/there", "{}", "text/plain"),
        new("PATCH", Settings + "/there", """[{"op":"test","path":"/data/a","value":"x"}]""", "application/json-patch+json"),
        new("PATCH", Settings + "/there", "{}", "application/apply-patch+yaml"),
        new("PATCH", Settings + "/there?fieldManager=me", """{"data":{"a":"2","b":"2"}}""", "application/apply-patch+yaml"),
        new("DELETE", "/api/v1/namespaces/default"),
        new("DELETE", Settings + "/there", """{"preconditions":{"uid":"other"}}"""),
        new("DELETE", Settings + "/there?propagationPolicy=Sometimes"),
        new("POST", Settings + "/there", "{}"),
        new("BREW", Settings + "/there"),
        new("GET", "/api/v1/nodes", As: "bob"),
        new("GET", "/metrics", As: "system:anonymous"),
    ];

    [Fact]
    public async Task Each_error_is_told_as_kept()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync(HttpMethod.Post, Settings + "?fieldManager=maker", """{"metadata":{"name":"there"},"data":{"a":"1","b":"1"}}""");
        var told = new StringBuilder();
        foreach (var sent in Requests)
        {
            told.Append(sent.Method).Append(' ').Append(sent.Path).Append(sent.As.Length == 0 ? "" : $" as {sent.As}").Append(sent.Body.Length == 0 ? "" : $" {sent.Body}").Append('\n');
            told.Append(await AnswerAsync(server, sent)).Append("\n\n");
        }

        Check("status.txt", told.ToString());
    }

    private static async Task<string> AnswerAsync(TestServer server, Sent sent)
    {
        using var request = new HttpRequestMessage(new HttpMethod(sent.Method), new Uri(server.Admin.BaseAddress!, sent.Path)) { Version = System.Net.HttpVersion.Version20 };
        if (sent.Body.Length > 0)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(sent.Body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", sent.Type);
        }

        if (sent.As.Length > 0)
        {
            request.Headers.Add("Impersonate-User", sent.As);
        }

        using var response = await server.Admin.SendAsync(request, TestServer.Stopping);
        var status = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestServer.Stopping))!;
        Assert.Equal("Status", (string?)status["kind"]);
        Assert.Equal((int)response.StatusCode, (int?)status["code"]);
        return Versions().Replace(Uids().Replace(status.ToJsonString(Readable), "UID"), "VERSION");
    }

    private static void Check(string name, string text, [CallerFilePath] string testFile = "")
    {
        var path = Path.Combine(Path.GetDirectoryName(testFile)!, "Golden", name);
        if (Environment.GetEnvironmentVariable("GODWIT_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }

        Assert.True(File.Exists(path), $"There is no {path} yet: run with GODWIT_UPDATE_GOLDEN=1.");
        Assert.Equal(File.ReadAllText(path), text);
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Uids();

    [GeneratedRegex("(?<=current: )[0-9]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Versions();

    private sealed record Sent(string Method, string Path, string Body = "", string Type = "application/json", string As = "");
}
