namespace Godwit.Cli.Tests;

public sealed class HostAuthoritiesTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_hosts_authorities_are_forgotten_only_where_the_kubeconfig_names_the_clusters(bool isNamed)
    {
        await using var cluster = await TestCluster.StartAsync();
        var path = cluster.KubeconfigPath;
        if (!isNamed)
        {
            path = cluster.KubeconfigPath + ".open";
            await File.WriteAllLinesAsync(path, (await File.ReadAllLinesAsync(cluster.KubeconfigPath, TestCluster.Stopping)).Where(line => !line.Contains("certificate-authority-data", StringComparison.Ordinal)), TestCluster.Stopping);
        }

        var forgotten = 0;
        var ran = await Ran.RunAsync(cluster.World with { KubeconfigPath = path, Clock = TimeProvider.System, ForgetHostAuthorities = () => forgotten++ }, ["nodes"], TestCluster.Stopping);

        Assert.Equal(isNamed ? 1 : 0, forgotten);
        Assert.Equal(isNamed ? ExitCodes.Done : ExitCodes.Unreachable, ran.ExitCode); // Nobody but the cluster itself vouches for it.
    }
}
