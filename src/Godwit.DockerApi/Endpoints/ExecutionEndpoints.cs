using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Streams;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Endpoints;

/// <summary>More programs in running containers.</summary>
internal sealed class ExecutionEndpoints(EngineServices services)
{
    private readonly ContainerEngine engine = services.Containers;

    public IEnumerable<Endpoint> List() =>
    [
        new("POST", "containers/{id}/exec", CreateAsync),
        new("POST", "exec/{id}/start", StartAsync),
        new("POST", "exec/{id}/resize", ResizeAsync),
        new("GET", "exec/{id}/json", InspectAsync),
    ];

    private async Task CreateAsync(Exchange exchange)
    {
        var body = await exchange.RequireJsonAsync(DockerJson.Default.CreateExecBody);
        if (body.Cmd is null or [])
        {
            throw DockerException.Invalid("No exec command specified");
        }

        DetachKeys.Parse(body.DetachKeys);
        var id = engine.CreateExecution(exchange.Name, new ExecutionSpec
        {
            Process = new ProcessSpec
            {
                Command = body.Cmd,
                Environment = body.Env ?? [],
                User = body.User ?? "",
                WorkingDirectory = body.WorkingDir ?? "",
                Terminal = body.Tty,
                TerminalSize = SpecReader.ReadSize(body.ConsoleSize),
                OpenStandardInput = body.AttachStdin,
            },
            Privileged = body.Privileged,
            AttachesOutput = body.AttachStdout,
            AttachesError = body.AttachStderr,
        });
        await exchange.WriteJsonAsync(201, new IdAnswer(id), DockerJson.Default.IdAnswer);
    }

    private async Task StartAsync(Exchange exchange)
    {
        var body = await exchange.ReadJsonAsync(DockerJson.Default.StartExecBody) ?? new StartExecBody();
        var execution = engine.GetExecution(exchange.Name);
        var spec = execution.Spec;
        var size = SpecReader.ReadSize(body.ConsoleSize);
        if (body.Detach)
        {
            await using var left = await engine.StartExecutionAsync(exchange.Name, size, CancellationToken.None);
            await exchange.EndAsync(200);
            return;
        }

        if (execution.ProcessId is not null || execution.ExitCode is not null)
        {
            throw DockerException.Conflict($"the execution {execution.Id} was started before");
        }

        var frames = new OutputFrames(Multiplexed: !spec.Process.Terminal);
        var line = await HijackedStream.OpenAsync(exchange, frames);
        await using var session = await StartAttachedAsync(exchange.Name, size, exchange.Stopping);
        var program = new HijackedProgram(session, spec.Process.OpenStandardInput, spec.Process.Terminal ? DetachKeys.Parse(null) : null)
        {
            Shows = stream => stream is OutputStream.Standard ? spec.AttachesOutput : spec.AttachesError,
        };
        await HijackedStream.CarryAsync(exchange, line, program, frames);
    }

    /// <summary>What cannot be started says so in its output: clients look there, and then ask for the exit code (126, 127).</summary>
    private async Task<IProcessSession> StartAttachedAsync(string execution, TerminalSize? size, CancellationToken stopping)
    {
        try
        {
            return await engine.StartExecutionAsync(execution, size, stopping);
        }
        catch (ContainerException failure)
        {
            return new FailedSession(DockerErrors.Describe(failure).Words + "\r\n");
        }
    }

    private Task ResizeAsync(Exchange exchange)
    {
        engine.ResizeExecution(exchange.Name, ContainerStreamEndpoints.ReadSize(exchange));
        return exchange.EndAsync(200);
    }

    private async Task InspectAsync(Exchange exchange)
    {
        var execution = engine.GetExecution(exchange.Name);
        var process = execution.Spec.Process;
        await exchange.WriteJsonAsync(
            new ExecInspection
            {
                ID = execution.Id,
                Running = execution.Running,
                ExitCode = execution.ExitCode,
                ProcessConfig = new ExecProcess(process.Terminal, process.Arguments[0], [.. process.Arguments.Skip(1)], execution.Spec.Privileged, process.User),
                OpenStdin = process.OpenStandardInput,
                OpenStderr = execution.Spec.AttachesError,
                OpenStdout = execution.Spec.AttachesOutput,
                ContainerID = execution.Container.Value,
                Pid = execution.ProcessId ?? 0,
            },
            DockerJson.Default.ExecInspection);
    }
}
