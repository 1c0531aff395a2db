using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Godwit.Linux.Commands;
using Godwit.Networks.Labs;

namespace Godwit.MoveBench;

/// <summary><c>virsh migrate --live</c> between two libvirts, each in a tree and namespaces of its own; see tools/libvirt-host.sh.</summary>
internal sealed partial class LibvirtSystem : IMovingSystem
{
    private const string Domain = "guest";
    private const string Root = "/var/cache/godwit-bench/libvirt-root";

    /// <summary>A writer that outruns the link never ends by itself.</summary>
    private static readonly string Script = Path.Combine(Tools.Folder, "tools", "libvirt-host.sh");
    private readonly Stage stage;
    private int host = 1;

    private LibvirtSystem(Stage stage) => this.stage = stage;

    public string Name => "libvirt";

    public IPAddress Guest => Stage.Guest;

    public Func<ulong> SourceCounter()
    {
        var source = host;
        return () => stage.SentBytes(source);
    }

    private int Other => 3 - host;

    public static async Task<LibvirtSystem> StartHostsAsync(Stage stage, BenchSetup setup, CancellationToken stopping)
    {
        await new Command(Script, "root", Root) { Bound = TimeSpan.FromMinutes(15) }.RunAsync(TimeProvider.System, stopping);
        for (var number = 1; number <= 2; number++)
        {
            string[] arguments = ["start", HostName(number), Root, stage.Place(number).Name, $"{stage.Address(number)}", $"{stage.Address(3 - number)}", setup.ImageFolder];
            await new Command("setsid", ["--fork", Script, .. arguments]).RunAsync(TimeProvider.System, stopping);
            await WaitAsync(number, stopping);
        }

        return new LibvirtSystem(stage);
    }

    public void SetRate(LinkRate rate) => stage.SetRate(rate);

    public async Task StartAsync(Writer writer, CancellationToken stopping)
    {
        host = 1;
        var definition = $"""
            <domain type='qemu'>
              <name>{Domain}</name>
              <uuid>79797979-7979-4979-8979-797979797979</uuid>
              <memory unit='MiB'>{Writer.MemoryMiB}</memory>
              <vcpu>1</vcpu>
              <os>
                <type arch='x86_64' machine='q35'>hvm</type>
                <kernel>/images/vmlinuz</kernel>
                <initrd>/images/initrd</initrd>
                <cmdline>console=ttyS0 quiet {Stage.AddressArgument} {writer.KernelArguments}</cmdline>
              </os>
              <features><acpi/></features>
              <cpu mode='maximum'/>
              <devices>
                <emulator>/usr/bin/qemu-system-x86_64</emulator>
                <interface type='ethernet'>
                  <mac address='{Stage.GuestMac}'/>
                  <target dev='{Stage.TapName}' managed='no'/>
                  <model type='virtio'/>
                </interface>
                <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
                <serial type='null'/>
                <memballoon model='none'/>
              </devices>
            </domain>
            """;
        await OnAsync(host, ["bash", "-c", "cat > /run/guest.xml"], stopping, definition);
        await VirshAsync(host, stopping, "create", "/run/guest.xml");
    }

    public Task PrepareAsync(CancellationToken stopping) => Task.CompletedTask;

    public async Task<OwnWord> MoveAsync(CancellationToken stopping)
    {
        try
        {
            await VirshAsync(host, stopping, "migrate", "--live", "--timeout", $"{stage.Patience.TotalSeconds:0}", "--timeout-suspend", Domain, $"qemu+tcp://{stage.Address(Other)}/system");
        }
        catch (CommandException error)
        {
            return new OwnWord(false, null, null, null, error.Message.ReplaceLineEndings(" "));
        }

        host = Other;
        var told = await VirshAsync(host, stopping, "domjobinfo", Domain, "--completed");
        return new OwnWord(true, Number(told, "Time elapsed") / 1000, null, Number(told, "Total downtime"), $"{Number(told, "Iteration")} passes");
    }

    public Task SettleAsync(CancellationToken stopping) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken stopping) => await VirshAsync(host, stopping, "destroy", Domain);

    public async ValueTask DisposeAsync()
    {
        for (var number = 1; number <= 2; number++)
        {
            await new Command(Script, "stop", HostName(number)).RunAsync(TimeProvider.System, CancellationToken.None);
        }
    }

    private static string HostName(int number) => $"mvb-{number}";

    private static async Task WaitAsync(int number, CancellationToken stopping)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        for (var looks = 0; await look.WaitForNextTickAsync(stopping); looks++)
        {
            try
            {
                await VirshAsync(number, stopping, "version");
                return;
            }
            catch (CommandException) when (looks < 100)
            {
                // Not yet.
            }
        }
    }

    private static Task<string> VirshAsync(int number, CancellationToken stopping, params IReadOnlyList<string> arguments) =>
        OnAsync(number, ["virsh", "-c", "qemu:///system", .. arguments], stopping);

    private static Task<string> OnAsync(int number, IReadOnlyList<string> arguments, CancellationToken stopping, string input = "") =>
        new Command(Script, ["exec", HostName(number), .. arguments]) { Input = input, Bound = TimeSpan.FromMinutes(4) }.RunAsync(TimeProvider.System, stopping);

    /// <summary>A number from a table of "Name: value unit".</summary>
    private static double? Number(string table, string name) =>
        Line().Matches(table).FirstOrDefault(line => line.Groups["name"].Value == name) is { } found
            ? double.Parse(found.Groups["value"].Value, CultureInfo.InvariantCulture)
            : null;

    [GeneratedRegex(@"^(?<name>[\w ]+):\s+(?<value>[\d.]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Line();
}
