using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Godwit.Cli.Comparisons;

/// <summary>The service as what it is: a program that is started.</summary>
internal sealed class ProcessService(string program) : IServiceUnderTest
{
    private Process? process;

    public string Name => "process";

    public string Isolation => "none but its user: it sees the host's files, processes and network, and may use all memory";

    public Task<Uri> StartAsync(CancellationToken stopping)
    {
        int port;
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            port = ((IPEndPoint)free.LocalEndpoint).Port;
        }

        process = Process.Start(new ProcessStartInfo(program, ["--port", port.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new CliException($"{program} did not start");
        process.OutputDataReceived += (_, _) => { }; // It says little; what it says is read, so that it never waits.
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return Task.FromResult(new Uri($"http://127.0.0.1:{port}/counter"));
    }

    public Task<long?> MemoryBytesAsync(CancellationToken stopping)
    {
        process!.Refresh();
        return Task.FromResult<long?>(process.WorkingSet64);
    }

    public Task<long?> DiskBytesAsync(CancellationToken stopping) => Task.FromResult<long?>(new FileInfo(program).Length);

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
        }
    }
}
