using System.Diagnostics;

namespace Godwit.Controllers.Tests.Loops;

/// <summary>What a person sees who has nothing but kubectl.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlTests
{
    private const string Kubectl = "/usr/bin/kubectl";

    private const string VirtualMachine = """
        apiVersion: kubevirt.io/v1
        kind: VirtualMachine
        metadata: {name: tiny}
        spec:
          runStrategy: Always
          template:
            metadata: {labels: {app: tiny}}
            spec:
              domain:
                memory: {guest: 256Mi}
                devices: {interfaces: [{name: default, bridge: {}}]}
              networks: [{name: default, pod: {}}]
        """;

    private const string Move = """
        apiVersion: kubevirt.io/v1
        kind: VirtualMachineInstanceMigration
        metadata: {name: move}
        spec: {vmiName: tiny}
        """;

    [Fact]
    public async Task A_VM_is_applied_waited_for_moved_described_and_deleted()
    {
        Assert.SkipUnless(File.Exists(Kubectl), $"{Kubectl} is not there: install kubernetes-client");
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");

        await RunAsync(cluster, "apply -f -", VirtualMachine);
        await RunAsync(cluster, "wait vm/tiny --for=condition=Ready --timeout=30s");
        Assert.Contains("node-1", await RunAsync(cluster, "get vmi tiny"), StringComparison.Ordinal);
        Assert.Contains("Running", await RunAsync(cluster, "get vm tiny"), StringComparison.Ordinal);

        await cluster.AddNodeAsync("node-2");
        await RunAsync(cluster, "apply -f -", Move);
        await RunAsync(cluster, "wait vmim/move --for=jsonpath={.status.phase}=Succeeded --timeout=30s");
        Assert.Contains("node-2", await RunAsync(cluster, "get vmi tiny"), StringComparison.Ordinal);
        var described = await RunAsync(cluster, "describe vmim move");
        Assert.Contains("MigrationScheduled", described, StringComparison.Ordinal);
        Assert.Contains("The guest tiny is to move from node-1 to node-2", described, StringComparison.Ordinal);

        await RunAsync(cluster, "delete vm tiny --cascade=foreground --timeout=30s");
        Assert.DoesNotContain("tiny", await RunAsync(cluster, "get vmi"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deletion_may_leave_the_guest_alone()
    {
        Assert.SkipUnless(File.Exists(Kubectl), $"{Kubectl} is not there: install kubernetes-client");
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await RunAsync(cluster, "apply -f -", VirtualMachine);
        await RunAsync(cluster, "wait vm/tiny --for=condition=Ready --timeout=30s");

        await RunAsync(cluster, "delete vm tiny --cascade=orphan --timeout=30s");

        var vmi = await cluster.UntilAsync<VirtualMachineInstance>("tiny", seen => seen.Metadata.OwnerReferences.Count == 0);
        Assert.Equal((VirtualMachineInstancePhases.Running, null), (vmi.Status.Phase, vmi.Metadata.DeletionTimestamp));
    }

    /// <summary>What it says; fails when it does.</summary>
    internal static async Task<string> RunAsync(TestCluster cluster, string arguments, string? input = null)
    {
        var (code, output, errors) = await TryAsync(cluster, arguments, input);
        Assert.True(code == 0, $"kubectl {arguments}: {errors}{output}");
        return output;
    }

    /// <summary>What it says of a failure; fails when it does not.</summary>
    internal static async Task<string> FailAsync(TestCluster cluster, string arguments)
    {
        var (code, output, errors) = await TryAsync(cluster, arguments, input: null);
        Assert.True(code != 0, $"kubectl {arguments}: {output}");
        return output + errors;
    }

    private static async Task<(int Code, string Output, string Errors)> TryAsync(TestCluster cluster, string arguments, string? input)
    {
        Assert.SkipUnless(File.Exists(Kubectl), $"{Kubectl} is not there: install kubernetes-client");
        var start = new ProcessStartInfo(Kubectl, ["--kubeconfig", cluster.KubeconfigPath, .. arguments.Split(' ')])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(TestCluster.Stopping);
        bound.CancelAfter(TimeSpan.FromSeconds(60));
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(bound.Token);
        var errors = process.StandardError.ReadToEndAsync(bound.Token);
        await process.WaitForExitAsync(bound.Token);
        TestContext.Current.TestOutputHelper?.WriteLine($"$ kubectl {arguments}\n{await output}");
        return (process.ExitCode, await output, await errors);
    }
}
