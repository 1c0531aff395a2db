using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Godwit.Real.Tests.Docker;

/// <summary>
/// What the engine answers, as foreign programs read it, kept in the tree. Run with <c>GODWIT_UPDATE_GOLDEN=1</c> to write what is answered now, and read the
/// difference before you commit it. What is another's on every host or at every time is masked.
/// </summary>
[Trait("Needs", "docker")]
public sealed partial class AnswerTests
{
    /// <summary>Members whose values are the host's or the moment's.</summary>
    private static readonly HashSet<string> Masked =
    [
        "KernelVersion", "OperatingSystem", "OSVersion", "Architecture", "Arch", "NCPU", "MemTotal", "SwapLimit", "ID", "SystemTime", "CgroupVersion", "ServerVersion", "Pid", "time", "timeNano", "Created", "Size", "SizeRootFs", "VirtualSize", "HostPort", "PublicPort", "SandboxKey", "com.docker.network.bridge.name", "ArchitectureVariant",
    ];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public async Task Answers_are_those_that_were_approved()
    {
        await using var lab = await DockerLab.OpenAsync();
        using var http = EndpointChecklistTests.Connect(lab.Socket);
        await MustAsync(lab, "network", "create", "--label", "a=b", "own");
        await MustAsync(lab, "volume", "create", "--label", "a=b", "kept");
        await MustAsync(lab, "run", "--name", "ended", "--network", "own", "--hostname", "box", "-v", "kept:/kept", "-e", "A=b", "--label", "a=b", "--memory", "64m", "--health-cmd", "true", DockerLab.Busybox, "sh", "-c", "exit 3");
        await MustAsync(lab, "run", "-d", "--name", "running", "--network", "own", "-p", "127.0.0.1::80", "--restart", "on-failure:2", DockerLab.Busybox, "sleep", "1000");
        foreach (var (name, path) in new[]
        {
            ("container-ended", "containers/ended/json"), ("container-running", "containers/running/json"), ("containers", "containers/json?all=1"), ("image", $"images/{DockerLab.Busybox}/json"), ("images", "images/json"),
            ("network", "networks/own"), ("network-default", "networks/bridge"), ("volume", "volumes/kept"), ("version", "version"), ("info", "info"),
        })
        {
            Check(name, Mask(await http.GetStringAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken), lab.Folder));
        }

        Check("events", Mask(await EventsAsync(http), lab.Folder));
    }

    /// <summary>What happened to one container, up to the end of this second.</summary>
    private static async Task<string> EventsAsync(HttpClient http)
    {
        var now = TimeProvider.System.GetUtcNow().AddSeconds(1).ToUnixTimeSeconds().ToString(System.Globalization.CultureInfo.InvariantCulture);
        var lines = await http.GetStringAsync(new Uri($"events?since=1&until={now}&filters=" + Uri.EscapeDataString("{\"container\":[\"ended\"]}"), UriKind.Relative), TestContext.Current.CancellationToken);
        return "[" + string.Join(',', lines.Split('\n', StringSplitOptions.RemoveEmptyEntries)) + "]";
    }

    private static async Task MustAsync(DockerLab lab, params string[] arguments)
    {
        var (code, output, error) = await lab.DockerAsync(arguments);
        Assert.True(code is 0 or 3, $"docker {string.Join(' ', arguments)}: {code}\n{output}\n{error}");
    }

    private static string Mask(string text, string folder)
    {
        var node = JsonNode.Parse(text)!;
        MaskMembers(node);
        var printed = node.ToJsonString(Indented).Replace(folder, "FOLDER", StringComparison.Ordinal).Replace(Environment.MachineName, "HOST", StringComparison.Ordinal);
        printed = LongId().Replace(printed, "ID");
        printed = ShortId().Replace(printed, "\"SHORT\"");
        printed = Moment().Replace(printed, "MOMENT");
        printed = Mac().Replace(printed, "MAC");
        printed = Since().Replace(printed, "\"${state} SINCE\"");
        return Address().Replace(printed, "ADDRESS") + "\n";
    }

    private static void MaskMembers(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject map:
                foreach (var (name, value) in map.ToList())
                {
                    if (Masked.Contains(name) && value is JsonValue)
                    {
                        map[name] = "MASKED";
                    }
                    else
                    {
                        MaskMembers(value);
                    }
                }

                break;
            case JsonArray list:
                foreach (var item in list)
                {
                    MaskMembers(item);
                }

                break;
        }
    }

    private static void Check(string name, string answered, [CallerFilePath] string testFile = "")
    {
        var path = Path.Combine(Path.GetDirectoryName(testFile)!, "Golden", name + ".json");
        if (Environment.GetEnvironmentVariable("GODWIT_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, answered);
        }

        Assert.True(File.Exists(path), $"There is no {path} yet: run with GODWIT_UPDATE_GOLDEN=1.");
        Assert.Equal(File.ReadAllText(path), answered);
    }

    [GeneratedRegex("[0-9a-f]{64}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LongId();

    [GeneratedRegex("\"[0-9a-f]{12}\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ShortId();

    [GeneratedRegex(@"20\d\d-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Moment();

    [GeneratedRegex("\"(?<state>Up|Exited \\(\\d+\\)) [^\"]*\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Since();

    [GeneratedRegex("02:42(:[0-9a-f]{2}){4}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Mac();

    [GeneratedRegex(@"10\.[12]\d\d\.\d+\.\d+(/\d+)?", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Address();
}
