using System.Diagnostics;
using Godwit.ApiBench;

// apibench serve DATA PORT            a server over SQLite, its token in DATA/token
// apibench run   DATA URL [PID]       the measured sequence against it; PID's memory is read after each step
// apibench all   DATA                 both: starts "serve" as a process of its own, measures, prints the table of ratios
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};

switch (args)
{
    case ["serve", var data, var port]:
        await BenchServer.RunAsync(data, int.Parse(port, System.Globalization.CultureInfo.InvariantCulture), stop.Token);
        return 0;
    case ["run", var data, var url]:
        await new Sequence(new Uri(url), BenchServer.ReadToken(data), serverPid: 0).RunAsync(stop.Token);
        return 0;
    case ["run", var data, var url, var pid]:
        await new Sequence(new Uri(url), BenchServer.ReadToken(data), int.Parse(pid, System.Globalization.CultureInfo.InvariantCulture)).RunAsync(stop.Token);
        return 0;
    case ["all", var data]:
        return await RunAllAsync(data, stop.Token);
    default:
        Console.Error.WriteLine("usage: apibench serve DATA PORT | run DATA URL [PID] | all DATA");
        return 2;
}

static async Task<int> RunAllAsync(string data, CancellationToken stopping)
{
    const int Port = 16443;
    var url = new Uri($"https://127.0.0.1:{Port}");
    Directory.CreateDirectory(data);
    var started = Stopwatch.GetTimestamp();
    using var server = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["serve", data, $"{Port}"])) ?? throw new InvalidOperationException("The server process could not be started.");
    try
    {
        await Sequence.UntilReadyAsync(url, stopping);
        var ready = Stopwatch.GetElapsedTime(started);
        var sequence = new Sequence(url, BenchServer.ReadToken(data), server.Id);
        sequence.Report("start to /readyz, fresh store, ms", ready.TotalMilliseconds, 3100, lowerIsBetter: true);
        await sequence.RunAsync(stopping);
        return 0;
    }
    finally
    {
        server.Kill();
        await server.WaitForExitAsync(CancellationToken.None);
    }
}
