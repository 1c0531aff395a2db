using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Real.Tests.Containers;

namespace Godwit.Real.Tests.Docker;

/// <summary>Names and labels with anything in them, through the API and the real <c>docker</c>.</summary>
[Trait("Needs", "docker")]
public sealed class NameAndLabelTests
{
    private const string Root = "http://engine/v1.41/";

    /// <summary>What no container, network or volume can be called. Some of them are words of refusals.</summary>
    private static readonly string[] NoNames =
    [
        "../up", "a/b", "/../x", "..", "a b", "-a", ".a", "_a", "a\nb", "a\r\nx: y", "a\"b", "a'b", "a=b", "a:b", "a,b", "a\0b", "$(id)", "a%2Fb", "{{.Id}}", "ü", "名前", "🐦", "\u202Ename",
        "in use", "no such volume", new('a', 5000),
    ];

    private static readonly string[] NoImages = ["../up", "a b", "a\nb", "a:b:c", "a@sha256:1", "a//b", "/a", "-a", "a/", "ü", "$(id)", "UPPER/Case", new('a', 300)];

    private static readonly Dictionary<string, string> Labels = new(StringComparer.Ordinal)
    {
        ["plain"] = "value", ["empty"] = "", ["lines"] = "first\nsecond", ["newline"] = "\nfirst\r\n\n", ["quotes"] = "\"double\" 'single' `back` \\ \\\"", ["equals"] = "a=b==c", ["json"] = "{\"a\":[1,null,{\"b\":\"}\"}]}",
        ["../../etc/passwd"] = "../../etc/shadow", ["ключ鍵"] = "値 🐦 e\u0301 \u202E\uFFFE", [" name with blanks "] = "  ", ["first\nsecond"] = "in the name", ["control"] = "\u0001\u001b[31m\t\u007f\u2028",
        ["template"] = "{{.Id}} $(id) ${HOME} %s %00 <b>&amp;", ["comma"] = "a,b;c", ["[\"list\"]"] = "[]", ["long"] = new('x', 60_000), [new('n', 5000)] = "long name",
    };

    /// <summary>The client takes no name with a blank in it.</summary>
    private static readonly Dictionary<string, string> Typed = new(Labels.Where(label => !label.Key.Any(char.IsWhiteSpace)), StringComparer.Ordinal);

    /// <summary>These stand in no argument of a program, or in no filter.</summary>
    private static readonly Dictionary<string, string> LabelsOfBodiesAlone = new(StringComparer.Ordinal) { [""] = "no name", ["nul"] = "a\0b", ["name=with"] = "equals" };

    [Fact]
    public async Task What_is_no_name_is_refused_in_words_and_nothing_is_made()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        using var client = engine.Connect(1);
        await engine.MustAsync("create", "--name", "kept", "--network", "none", DockerLab.Busybox);
        var before = await ListAsync(engine);
        foreach (var name in NoNames)
        {
            var escaped = Uri.EscapeDataString(name);
            await RefusesAsync(client, $"containers/create?name={escaped}", new JsonObject { ["Image"] = DockerLab.Busybox }, "Invalid container name");
            await RefusesAsync(client, $"containers/kept/rename?name={escaped}", "", "Invalid container name");
            await RefusesAsync(client, "networks/create", new JsonObject { ["Name"] = name }, "no name for a network");
            await RefusesAsync(client, "volumes/create", new JsonObject { ["Name"] = name }, "no name for a volume");
            foreach (var path in new[] { $"containers/{escaped}/json", $"networks/{escaped}", $"volumes/{escaped}", $"images/{escaped}/json" })
            {
                using var answer = await client.GetAsync(new Uri(Root + path), EngineLab.Stopping);
                Assert.True(answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadRequest, $"GET {path}: {answer.StatusCode}");
            }
        }

        foreach (var name in NoNames.Take(6))
        {
            await RefusesAsync(client, "containers/create?name=mounts", new JsonObject { ["Image"] = DockerLab.Busybox, ["HostConfig"] = new JsonObject { ["Mounts"] = new JsonArray(new JsonObject { ["Type"] = "volume", ["Target"] = "/anonymous" }, new JsonObject { ["Type"] = "volume", ["Source"] = name, ["Target"] = "/data" }) } }, "no name for a volume");
        }

        foreach (var name in NoImages)
        {
            var escaped = Uri.EscapeDataString(name);
            await RefusesAsync(client, $"images/{DockerLab.Busybox}/tag?repo={escaped}", "", "invalid reference format");
            await RefusesAsync(client, $"commit?container=kept&repo={escaped}", "", "invalid reference format");
            await RefusesAsync(client, $"images/create?fromImage={escaped}", "", "invalid reference format");
            await RefusesAsync(client, "containers/create?name=unmade", new JsonObject { ["Image"] = name }, "invalid reference format");
        }

        foreach (var (command, words) in new[] { ("create --name ../up " + DockerLab.Busybox, "Invalid container name"), ("rename kept a=b", "Invalid container name"), ("network create ../up", "no name for a network"), ("volume create ../up", "no name for a volume"), ("tag " + DockerLab.Busybox + " a:b:c", "invalid reference format") })
        {
            var (code, output, error) = await engine.DockerAsync(command.Split(' '));
            Assert.True(code != 0 && (error + output).Contains(words, StringComparison.Ordinal), $"docker {command}: {code} {output} {error}");
        }

        Assert.Equal(before, await ListAsync(engine));
    }

    [Fact]
    public async Task Labels_with_anything_in_them_are_read_back_found_and_kept_by_the_next_engine()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        using var client = engine.Connect(1);
        var all = new Dictionary<string, string>(Labels.Concat(LabelsOfBodiesAlone), StringComparer.Ordinal);
        var body = new JsonObject { ["Image"] = DockerLab.Busybox, ["Cmd"] = new JsonArray("sh", "-c", "printf %s \"$STRANGE\"; exec sleep 1000"), ["Env"] = new JsonArray("STRANGE=" + Labels["newline"] + Labels["quotes"]), ["Labels"] = Of(all), ["HostConfig"] = new JsonObject { ["NetworkMode"] = "none" } };
        var made = (string)(await PostAsync(client, "containers/create?name=made", body))["Id"]!;
        await PostAsync(client, "networks/create", new JsonObject { ["Name"] = "net", ["Labels"] = Of(all) });
        await PostAsync(client, "volumes/create", new JsonObject { ["Name"] = "vol", ["Labels"] = Of(all) });
        await engine.MustAsync("start", "made");
        var typed = await engine.MustAsync(["create", "--name", "typed", "--network", "none", .. Typed.SelectMany(label => new[] { "--label", $"{label.Key}={label.Value}" }), DockerLab.Busybox]);
        await engine.MustAsync("create", "--name", "other", "--network", "none", "--label", "plain=another", DockerLab.Busybox);
        await RefusesAsync(client, "containers/create", "{\"Image\":\"" + DockerLab.Busybox + "\",\"Labels\":{\"half\":\"\\ud800\"}}", "invalid JSON");

        for (var restart = 0; restart < 2; restart++)
        {
            Assert.Equal(all, await LabelsOfAsync(client, "containers/made/json", answer => answer["Config"]!));
            Assert.Equal(Typed, await LabelsOfAsync(client, "containers/typed/json", answer => answer["Config"]!));
            Assert.Equal(all, await LabelsOfAsync(client, "networks/net", answer => answer));
            Assert.Equal(all, await LabelsOfAsync(client, "volumes/vol", answer => answer));
            Assert.Equal(Typed, JsonSerializer.Deserialize<Dictionary<string, string>>(await engine.MustAsync("inspect", "--format", "{{json .Config.Labels}}", "typed")));
            foreach (var (name, value) in Labels)
            {
                var filter = Uri.EscapeDataString(new JsonObject { ["label"] = new JsonArray($"{name}={value}") }.ToJsonString());
                var found = JsonNode.Parse(await client.GetStringAsync(new Uri($"{Root}containers/json?all=1&filters={filter}"), EngineLab.Stopping))!.AsArray();
                Assert.Equal(new[] { made, typed }.Where(id => id == made || Typed.ContainsKey(name)).Order(StringComparer.Ordinal), found.Select(container => (string)container!["Id"]!).Order(StringComparer.Ordinal));
                Assert.Equal(["net"], JsonNode.Parse(await client.GetStringAsync(new Uri($"{Root}networks?filters={filter}"), EngineLab.Stopping))!.AsArray().Select(network => (string)network!["Name"]!));
                Assert.Equal(["vol"], JsonNode.Parse(await client.GetStringAsync(new Uri($"{Root}volumes?filters={filter}"), EngineLab.Stopping))!["Volumes"]!.AsArray().Select(volume => (string)volume!["Name"]!));
            }

            Assert.Equal("made\ntyped", await SortedAsync(engine, "ps", "-a", "--format", "{{.Names}}", "--filter", $"label=lines={Labels["lines"]}", "--filter", $"label=quotes={Labels["quotes"]}", "--filter", $"label=long={Labels["long"]}", "--filter", "label=ключ鍵"));
            Assert.Equal("", await engine.MustAsync("ps", "-aq", "--filter", "label=lines=first"));
            Assert.Equal(Labels["newline"] + Labels["quotes"], (await engine.DockerAsync("logs", "made")).Output);
            if (restart == 0)
            {
                await engine.KillAsync();
                await engine.StartAgainAsync();
            }
        }
    }

    private static async Task<string> ListAsync(EngineProcess engine) =>
        string.Join('\n', await engine.MustAsync("ps", "-aq"), await engine.MustAsync("network", "ls", "-q"), await engine.MustAsync("volume", "ls", "-q"), await engine.MustAsync("images", "-aq"), await engine.MustAsync("images", "--format", "{{.Repository}}"));

    private static async Task<string> SortedAsync(EngineProcess engine, params string[] arguments) => string.Join('\n', (await engine.MustAsync(arguments)).Split('\n').Order(StringComparer.Ordinal));

    private static JsonObject Of(Dictionary<string, string> labels) => new(labels.Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value)));

    private static async Task<Dictionary<string, string>> LabelsOfAsync(HttpClient client, string path, Func<JsonNode, JsonNode> place) =>
        place(JsonNode.Parse(await client.GetStringAsync(new Uri(Root + path), EngineLab.Stopping))!)["Labels"]!.AsObject().ToDictionary(label => label.Key, label => (string)label.Value!, StringComparer.Ordinal);

    private static async Task<JsonNode> PostAsync(HttpClient client, string path, JsonObject body)
    {
        using var answer = await client.PostAsJsonAsync(new Uri(Root + path), body, EngineLab.Stopping);
        var text = await answer.Content.ReadAsStringAsync(EngineLab.Stopping);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    private static Task RefusesAsync(HttpClient client, string path, JsonObject? body, string words) => RefusesAsync(client, path, body?.ToJsonString() ?? "", words);

    private static async Task RefusesAsync(HttpClient client, string path, string body, string words)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(new Uri(Root + path), content, EngineLab.Stopping);
        var text = await answer.Content.ReadAsStringAsync(EngineLab.Stopping);
        Assert.True(answer.StatusCode is HttpStatusCode.BadRequest && ((string)JsonNode.Parse(text)!["message"]!).Contains(words, StringComparison.Ordinal), $"POST {path} {body}: {answer.StatusCode} {text}");
    }
}
