using Godwit.Linux.Networking;
using Godwit.Networks.Names;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Networking;

/// <summary>
/// The names and addresses that this node gives out. Guests and services are followed apart from each other; both end in the tables of the one
/// service, which is applied by one caller at a time. Before both are known, what is not known stays as an earlier agent left it.
/// </summary>
internal sealed class NodeNames(string folder, TimeProvider time, ILoggerFactory loggers) : IDisposable
{
    private readonly SemaphoreSlim gate = new(1);
    private readonly NameResponder responder = NameResponder.Open(NetworkNamespace.Own, time);
    private NameServiceSettings? settings;
    private NameService? service;
    private NameTable table = new([], []);

    /// <summary>For tables and configuration.</summary>
    public string Folder => folder;

    /// <summary>Ends when the service has ended by itself: apply again.</summary>
    public Task Ended => service?.Ended ?? Task.Delay(Timeout.InfiniteTimeSpan, time);

    /// <summary>Returns when answers are given from these.</summary>
    public async Task ApplyGuestsAsync(NameServiceSettings wanted, NameTable guests, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        try
        {
            if (service is null || settings != wanted)
            {
                service?.Dispose();
                (settings, service) = (wanted, new NameService(wanted, time, loggers.CreateLogger<NameService>()));
            }

            table = guests with { Services = table.Services, ResponderPort = responder.Port };
            await ApplyAsync(service, wanted, stopping);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Returns when answers are given from these; as long as no guests were applied, they wait for them.</summary>
    public async Task ApplyServicesAsync(ServiceNames services, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        try
        {
            table = table with { Services = services };
            if (service is not null)
            {
                await ApplyAsync(service, settings!, stopping);
            }
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Answers for the names that stand in no table; runs until cancelled.</summary>
    public Task RunAsync(CancellationToken stopping) => responder.RunAsync(stopping);

    private async Task ApplyAsync(NameService standing, NameServiceSettings its, CancellationToken stopping)
    {
        if (table.Services is { } services)
        {
            responder.Serve(services, its);
        }

        await standing.ApplyAsync(table, stopping);
    }

    /// <summary>Lets go of the service; it runs on.</summary>
    public void Dispose()
    {
        service?.Dispose();
        responder.Dispose();
        gate.Dispose();
    }
}
