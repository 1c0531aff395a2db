using System.CommandLine;
using System.Runtime.CompilerServices;
using Godwit.Cli;

namespace Godwit.App.Tests.Commands;

/// <summary>Of the commands that run parts of a cluster on this host; those of the API's clients are tested beside them.</summary>
public sealed class HelpTests
{
    private static readonly string[] OwnCommands = ["up", "down", "server", "agent", "engine", "build", "store", "demo"];

    [Fact]
    public async Task The_help_of_every_command_is_as_it_was_read_and_approved()
    {
        foreach (var path in (string[])["", .. OwnCommands, "store backup", "store restore", "store copy"])
        {
            var (exitCode, output, error) = await RunAsync([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
            Assert.Equal((ExitCodes.Done, ""), (exitCode, error));
            Check(path.Length == 0 ? "godwit" : $"godwit-{path.Replace(' ', '-')}", string.Join('\n', output.Split('\n').Select(line => line.TrimEnd())).Replace(RootCommand.ExecutableName, "godwit", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Every_option_is_described_named_and_without_a_full_stop()
    {
        var root = GodwitProgram.BuildRoot(World(TextWriter.Null, TextWriter.Null));
        foreach (var option in root.Subcommands.Where(command => OwnCommands.Contains(command.Name)).SelectMany(command => command.Options).Where(option => option.Name != "--help"))
        {
            Assert.False(string.IsNullOrWhiteSpace(option.Description) || option.Description.EndsWith('.'), option.Name);
            Assert.True(option.ValueType == typeof(bool) || option.HelpName is { Length: > 0 }, option.Name);
        }
    }

    [Theory]
    [InlineData("up --lab 0", "--lab takes 1 to 30 nodes")]
    [InlineData("up --lab 2 --link-rate fast", "--link-rate takes")]
    [InlineData("up --port 0", "--port takes 1 to 65535")]
    [InlineData("up -o yaml", "-o table or -o json")]
    [InlineData("down -o name", "-o table or -o json")]
    [InlineData("up --instance Big_One", "cannot name an instance")]
    [InlineData("server --listen nowhere", "--listen takes")]
    [InlineData("server --guest-network ten", "--guest-network takes")]
    [InlineData("server --load-balancer-pool ten", "--load-balancer-pool takes")]
    [InlineData("server --service-network 10.77.4.0/24", "overlaps with the guests' network")]
    [InlineData("agent --server http://h --ca-file c --underlay-address 192.0.2.1", "--server takes https")]
    [InlineData("agent --server https://h --ca-file c --underlay-address here", "--underlay-address takes an IP address")]
    [InlineData("agent --server https://h --ca-file c", "--underlay-address")]
    [InlineData("engine --host tcp://localhost", "--host takes tcp://ADDRESS:PORT")]
    [InlineData("engine --host tcp://127.0.0.1:2376", "would give root to whoever reaches it")]
    [InlineData("server --store nowhere", "It reads etcd://HOST:PORT,HOST:PORT")]
    [InlineData("server --store etcd://192.0.2.1", "is not on this host's loopback: name its authority with --store-ca")]
    [InlineData("server --store etcd://192.0.2.1 --store-cert c", "--store-cert and --store-key go together")]
    [InlineData("server --store etcd://192.0.2.1 --store-plain --store-ca c", "--store-plain speaks without encryption")]
    [InlineData("server --store-ca c", "name it with --store")]
    [InlineData("store copy --to etcd://[::1 --from /dev/null", "is no HOST or HOST:PORT")]
    [InlineData("store copy --to etcd://localhost --from /nowhere", "There is no store /nowhere")]
    [InlineData("server --log-format xml", "--log-format takes text or json")]
    public async Task A_wrong_command_line_is_exit_code_2_and_says_what_is_taken(string line, string words)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root: without it the commands say so before all else");

        var (exitCode, _, error) = await RunAsync(line.Split(' '));

        Assert.Equal(ExitCodes.Usage, exitCode);
        Assert.Contains(words, error, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var world = World(output, error);
        var exitCode = await GodwitCli.InvokeAsync(GodwitProgram.BuildRoot(world), arguments, world, TestContext.Current.CancellationToken);
        return (exitCode, output.ToString(), error.ToString());
    }

    private static CliEnvironment World(TextWriter output, TextWriter error) => new()
    {
        Output = output,
        Error = error,
        OpenInput = () => Stream.Null,
        OpenRawOutput = () => Stream.Null,
        Clock = TimeProvider.System,
        Variable = _ => null,
        LocalKubeconfigPath = "/nowhere/admin.kubeconfig",
        Version = "0.1.0",
    };

    /// <summary>Run with <c>GODWIT_UPDATE_GOLDEN=1</c> to write what is printed now, and read the difference before you commit it.</summary>
    private static void Check(string name, string printed, [CallerFilePath] string testFile = "")
    {
        var path = Path.Combine(Path.GetDirectoryName(testFile)!, "Golden", name + ".txt");
        if (Environment.GetEnvironmentVariable("GODWIT_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, printed);
        }

        Assert.True(File.Exists(path), $"There is no {path} yet: run with GODWIT_UPDATE_GOLDEN=1.");
        Assert.Equal(File.ReadAllText(path), printed);
    }
}
