using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Godwit.Cli.Comparisons;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli.Commands;

/// <summary><c>godwit compare</c>: the table that every lecture shows, measured.</summary>
internal static class CompareCommand
{
    private const string DefaultProgram = "/var/lib/godwit/images/tiny/tinyd";
    private const string DefaultHost = "unix:///run/godwit/docker.sock";
    private static readonly TimeSpan StartBound = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan FirstLoad = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan DefaultLoad = TimeSpan.FromSeconds(3);

    public static Command Build(CommandContext context)
    {
        var program = new Option<string>("--service") { Description = "Program of the guest tiny, on this host", HelpName = "FILE", DefaultValueFactory = _ => DefaultProgram };
        var host = new Option<string?>("--docker-host") { Description = $"Container engine to use (default: $DOCKER_HOST, {DefaultHost})", HelpName = "URL" };
        var load = Arguments.DurationOption("--load", "How long each is asked as fast as it answers (default: 3s)");
        var command = new Command("compare", "Run one small service as a process, in a machine and in a container, and measure each") { program, host, load };
        Help.Add(
            command,
            [
                ("godwit up; godwit engine &", "what it needs: a cluster on this host, and a container engine"),
                ("godwit compare", "a table: start, memory, disk, requests, isolation"),
                ("godwit compare -o json", "the same for a program"),
            ],
            "The machine is made through the Kubernetes API, the container through the Docker Engine API; both are removed again.");
        context.Act(command, async (session, parsed, stopping) =>
        {
            var service = Path.GetFullPath(parsed.GetValue(program)!);
            if (!File.Exists(service))
            {
                throw new CliException($"There is no {service}: build the guest tiny (guests/build.sh tiny), or name its program with --service", ExitCodes.NotFound);
            }

            using var docker = new DockerClient(parsed.GetValue(host) ?? context.Environment.Variable("DOCKER_HOST") ?? DefaultHost);
            await docker.RequireAsync(stopping);
            await session.NamesAsync<Api.Core.V1.Node>(stopping); // That there is a cluster is known before anything is started.
            var measured = await MeasureAllAsync(session, docker, service, parsed.GetValue(load) ?? DefaultLoad, stopping);
            Print(session, measured);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<List<ServiceMeasurement>> MeasureAllAsync(Session session, DockerClient docker, string service, TimeSpan load, CancellationToken stopping)
    {
        var name = $"compare-{RandomNumberGenerator.GetHexString(6, lowercase: true)}";
        using var client = new ServiceClient(session.Environment.Clock);
        var container = new ContainerService(docker, name, service);
        await using (var first = new ProcessService(service))
        {
            await MeasureAsync(session, client, first, FirstLoad, stopping); // Does not count: the client itself has to start too.
        }

        var measured = new List<ServiceMeasurement>();
        foreach (var one in (IServiceUnderTest[])[new ProcessService(service), new MachineService(session, name, Path.GetDirectoryName(service)!), container])
        {
            await using (one)
            {
                await session.Environment.Error.WriteLineAsync($"compare: the service as a {one.Name}");
                if (one == container)
                {
                    await container.PrepareAsync(stopping);
                }

                measured.Add(await MeasureAsync(session, client, one, load, stopping));
            }
        }

        return measured;
    }

    private static async Task<ServiceMeasurement> MeasureAsync(Session session, ServiceClient client, IServiceUnderTest service, TimeSpan load, CancellationToken stopping)
    {
        using var bound = new CancellationTokenSource(StartBound, session.Environment.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, stopping);
        var started = session.Environment.Clock.GetTimestamp();
        Uri address;
        try
        {
            address = await service.StartAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            throw new CliException($"The service as a {service.Name} did not start within {StartBound.TotalMinutes:0} minutes", ExitCodes.TimedOut);
        }

        await client.UntilAnsweredAsync(service, address, StartBound, stopping);
        var start = session.Environment.Clock.GetElapsedTime(started);
        return new ServiceMeasurement(
            service.Name,
            Math.Round(start.TotalMilliseconds, 1),
            await service.MemoryBytesAsync(stopping),
            await service.DiskBytesAsync(stopping),
            Math.Round(await client.LoadAsync(address, load, stopping)),
            service.Isolation);
    }

    private static void Print(Session session, List<ServiceMeasurement> measured)
    {
        if (session.Format is OutputFormat.Json or OutputFormat.Yaml)
        {
            session.Printer.Document(new JsonArray([.. measured.Select(ToJson)]));
            return;
        }

        session.Printer.Table(
            measured,
            [
                new("AS A", one => one.Name),
                new("START", one => Human.Milliseconds((double?)one.StartMs)),
                new("MEMORY", one => Human.Bytes(one.MemoryBytes)),
                new("DISK", one => Human.Bytes(one.DiskBytes)),
                new("REQUESTS/S", one => one.RequestsPerSecond.ToString("0", CultureInfo.InvariantCulture)),
            ]);
        session.Output.WriteLine();
        foreach (var one in measured)
        {
            session.Output.WriteLine($"{one.Name,-10} {one.Isolation}");
        }
    }

    private static JsonObject ToJson(ServiceMeasurement one) => new()
    {
        ["name"] = one.Name,
        ["startMs"] = one.StartMs,
        ["memoryBytes"] = one.MemoryBytes,
        ["diskBytes"] = one.DiskBytes,
        ["requestsPerSecond"] = one.RequestsPerSecond,
        ["isolation"] = one.Isolation,
    };
}
