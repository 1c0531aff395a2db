using Microsoft.Extensions.Time.Testing;

namespace Godwit.Cli.Tests;

/// <summary>Mistakes on the command line and around it: each with its exit code and with what to do.</summary>
public sealed class CommandLineTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("vm strat tiny", "start")]
    [InlineData("migrat tiny", "migrate")]
    [InlineData("vm create", "NAME")]
    [InlineData("vm create web --memory lots", "512Mi")]
    [InlineData("vm stop web --timeout 5", "90s")]
    [InlineData("migrate web --mode quickly", "hybrid")]
    [InlineData("vm list -o xml", "yaml")]
    [InlineData("completion tcsh", "zsh")]
    public async Task A_wrong_command_line_is_exit_code_2_and_says_what_was_meant(string line, string hint)
    {
        var ran = await Ran.RunAsync(new(), line.Split(' '), Stopping);
        Assert.Equal(ExitCodes.Usage, ran.ExitCode);
        Assert.Contains(hint, ran.Output + ran.Error, StringComparison.Ordinal);
        Assert.Contains("--help", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_kubeconfig_the_error_says_where_one_was_looked_for_and_how_to_get_one()
    {
        var ran = await Ran.RunAsync(new(), ["vm", "list"], Stopping);
        Assert.Equal(ExitCodes.Unreachable, ran.ExitCode);
        Assert.Contains("godwit up", ran.Error, StringComparison.Ordinal);
        Assert.Contains("/nowhere/admin.kubeconfig", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_exit_code_4_and_names_the_address()
    {
        var ran = await Ran.RunAsync(new(), ["vm", "list", "--server", "https://127.0.0.1:1"], Stopping);
        Assert.Equal(ExitCodes.Unreachable, ran.ExitCode);
        Assert.Contains("https://127.0.0.1:1", ran.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_of_another_cluster_is_exit_code_4_and_says_whose_certificate_it_showed_and_what_to_do()
    {
        await using var cluster = await TestCluster.StartAsync();

        await using var another = await TestCluster.StartAsync();
        var address = (await File.ReadAllLinesAsync(another.KubeconfigPath, Stopping)).First(line => line.Contains("server:", StringComparison.Ordinal)).Split("server:")[1].Trim(' ', '"');

        // A clock that never moves: one wait before another attempt and this would not return.
        var ran = await Ran.RunAsync(cluster.World with { Clock = new FakeTimeProvider() }, ["vm", "list", "--server", address], Stopping);

        Assert.Equal(ExitCodes.Unreachable, ran.ExitCode);
        Assert.Contains("none of the authorities that are trusted here has signed it", ran.Error, StringComparison.Ordinal);
        Assert.Contains("SHA-256 ", ran.Error, StringComparison.Ordinal);
        Assert.Contains("godwit kubeconfig", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_programs_version_is_told_with_what_it_was_built_from()
    {
        var ran = await Ran.RunAsync(new(), ["--version"], Stopping);
        Assert.Equal(ExitCodes.Done, ran.ExitCode);
        Assert.Matches(@"^0\.1\.0(\+[0-9a-f]{40})?\n$", ran.Output);
    }

    [Fact]
    public async Task The_clients_version_needs_no_server()
    {
        var ran = await Ran.RunAsync(new(), ["version", "--client"], Stopping);
        Assert.Equal((ExitCodes.Done, "godwit 0.1.0\n"), (ran.ExitCode, ran.Output));
    }
}
